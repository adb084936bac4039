-- What most scripts never touch: everything but a few globals, and how a script ends early. Loaded when the first of it
-- is needed, because reading it costs as much as a whole small script.
-- Gets: run (the state of this script), host, the JSON functions. Returns: fill(env), stop(...), explain(...), error_list(...).
local run, host, encode, decode, null, list_mark = ...
local type, next, select, tonumber, error, rawget, rawequal = type, next, select, tonumber, error, rawget, rawequal
local setmetatable, plain, tostring = setmetatable, tostring, run.tostring
local getinfo, getmeta, setmeta, clock = debug.getinfo, debug.getmetatable, debug.setmetatable, os.clock
local find, sub, gsub, match, upper = string.find, string.sub, string.gsub, string.match, string.upper
local concat, move, unpack = table.concat, table.move, table.unpack
local ult, tointeger, mtype, draw_raw, reseed = math.ult, math.tointeger, math.type, math.random, math.randomseed
local utf8len = utf8.len

-- host's operations; child.py has the same numbers
local KNOWN, CALL, BODY, RELIMIT = 2, 3, 4, 5

local function where()
  for level = 2, 60 do
    local info = getinfo(level, "Sl")
    if not info then return end
    if info.source == "=script" and info.currentline > 0 then
      run.line = info.currentline
      return
    end
  end
end

-- Ends the script; the first reason counts. Nothing that a script can reach catches errors.
local function stop(status, code, text, retry)
  if not run.status then
    run.status, run.code, run.text, run.retry = status, code, text, retry
    if not run.line then where() end
  end
  error("stopped", 0)
end

-- Names of what has none
local named, numbers = 0, setmetatable({}, { __mode = "k" })

function run.name_of(value)
  local meta = getmeta(value)
  if meta and rawget(meta, "__tostring") ~= nil then return plain(value) end
  local kind = meta and rawget(meta, "__name")
  if not numbers[value] then
    named = named + 1
    numbers[value] = named
  end
  return (type(kind) == "string" and kind or type(value)) .. ": " .. numbers[value]
end

function run.format_named(text, ...)
  local given, count, index, pointer = { ... }, select("#", ...), 0, false
  gsub(text, "%%([-+ #0-9.]*)(.?)", function(flags, letter)
    if letter == "%" and flags == "" then return end
    index = index + 1
    pointer = pointer or letter == "p"
    if letter == "s" then given[index] = tostring(given[index]) end
  end)
  if pointer then error("string.format knows no %p: where something lies in memory is not told", 2) end
  return run.format(text, unpack(given, 1, count))
end

-- print
local output_size = 0

local function print(...)
  local count = select("#", ...)
  local text = ...
  if count ~= 1 then
    local parts = { ... }
    for index = 1, count do parts[index] = tostring(parts[index]) end
    text = concat(parts, "\t", 1, count)
  elseif type(text) ~= "string" then
    text = tostring(text)
  end
  output_size = output_size + #text + 1
  if output_size > run.output_cap then
    stop(500, "script.execution.output", "the script printed more than " .. run.output_cap .. " bytes")
  end
  count = run.line_count + 1
  run.line_count, run.lines[count] = count, text
end

-- Answers of util, http and gs2() have one shape. Seeds read the error as errorMessage or as message.
local function answer(status, value, message)
  return { isError = message ~= nil, statusCode = status, errorMessage = message, message = message, result = value }
end

local calls = 0

local function call(service, method, params)
  if run.status then error("stopped", 0) end
  calls = calls + 1
  if calls > run.call_cap then
    stop(500, "script.execution.calls", "the script made more than " .. run.call_cap .. " calls")
  end
  if params == nil then params = {} end
  if type(params) ~= "table" then return answer(400, nil, "the argument of " .. method .. " must be a table") end
  local text, why = encode(params)
  if not text then return answer(400, nil, why) end
  local status = host(CALL, service, method, text)
  local body = host(BODY)
  host(RELIMIT)
  run.check_time()
  local value, wrong = decode(body, false)
  if status >= 200 and status < 300 then
    if wrong then return answer(500, nil, "the answer of " .. method .. " is not JSON: " .. wrong) end
    return answer(status, value)
  end
  local message = type(value) == "table" and value.message
  return answer(status, nil, type(message) == "string" and message or body)
end

-- Scripts cannot catch errors, so what is not served answers as it would over REST: with an error that they can test.
local function nothing_here(service, served)
  local component, word = "request", "transport.http.request.error.notFound"
  if served then
    component, word = "method", gsub(service, "_", "-") .. ".request.method.error.notFound"
  end
  return answer(404, nil, encode({ { component = component, message = word, code = word } }))
end

local function gs2(name)
  if type(name) ~= "string" then error("gs2() needs the name of a service", 2) end
  local client, served = {}, name ~= "http" and host(KNOWN, name, "")
  return setmetatable(client, {
    __metatable = "client",
    __index = function(_, method)
      if type(method) ~= "string" then return nil end
      local plain = match(method, "^(.+)_async$")
      local there = served and method ~= "" and host(KNOWN, name, plain or method)
      return function(first, second)
        -- client:method{} is read as client.method{}
        local params = first
        if rawequal(first, client) then params = second end
        local got = there and call(name, plain or method, params) or nothing_here(name, served)
        if plain then return function() return got end end
        return got
      end
    end,
  })
end

-- Marks a table as a list, so that it is written as one also when nothing is left in it.
local function list(value)
  if value == nil then value = {} end
  if type(value) ~= "table" or rawequal(value, null) then error("util.list needs a table", 2) end
  return setmetatable(value, list_mark)
end

local util = {
  null = null, list = list, array = list,
  table_to_json = function(value)
    local text, why = encode(value)
    if why then return answer(400, nil, why) end
    return answer(200, text)
  end,
  json_to_table = function(text, as_text)
    if type(text) ~= "string" then return answer(400, nil, "json_to_table needs a text") end
    local value, why = decode(text, not as_text)
    if why then return answer(400, nil, why) end
    return answer(200, value)
  end,
  split = function(value, separator)
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" or type(separator) ~= "string" or separator == "" then
      return answer(400, nil, "split needs a text and a separator that is not empty")
    end
    local parts, count, from = setmetatable({}, list_mark), 0, 1
    while true do
      local at, stop_at = find(value, separator, from, true)
      count = count + 1
      parts[count] = sub(value, from, (at or #value + 1) - 1)
      if not at then return answer(200, parts) end
      from = stop_at + 1
    end
  end,
}

local http = {
  get = function(url)
    if host(KNOWN, "http", "get") then return call("http", "get", { url = url }) end
    return answer(400, nil, "http is not allowed")
  end,
}

-- transaction.service(name).acquire.some_method{...}: collected, and given back with the result
local function pascal(text)
  return (gsub(gsub(text, "^%l", upper), "_(%w)", upper))
end

local function collector(name, kind)
  return setmetatable({}, {
    __metatable = "transaction",
    __index = function(_, method)
      if type(method) ~= "string" then return nil end
      return function(params)
        local text, why = encode(params == nil and {} or params)
        if not text then error(why, 2) end
        local action = { action = "Gs2" .. pascal(name) .. ":" .. pascal(method), request = text }
        local actions = run.actions
        if not actions then
          actions = {}
          run.actions = actions
          for _, list in next, { "verifyActions", "consumeActions", "acquireActions" } do
            actions[list] = setmetatable({}, list_mark)
          end
        end
        local list = actions[kind]
        list[#list + 1] = action
        return { action = action.action, request = text }
      end
    end,
  })
end

local transaction = {
  service = function(name)
    if type(name) ~= "string" then error("transaction.service needs the name of a service", 2) end
    return {
      verify = collector(name, "verifyActions"),
      consume = collector(name, "consumeActions"),
      acquire = collector(name, "acquireActions"),
    }
  end,
}

-- Random numbers come from a seed that is reported, so that a run can be replayed.
local seeded = false

local function draw()
  if not seeded then
    seeded = true
    reseed(run.seed, 0)
    for _ = 1, run.skip do draw_raw(0) end
  end
  run.draws = run.draws + 1
  return draw_raw(0)
end

local function random(low, high)
  if low == nil then return (draw() >> 11) * 0x1p-53 end
  if high == nil then
    if low == 0 then return draw() end
    low, high = 1, low
  end
  local from, to = tointeger(low), tointeger(high)
  if not from or not to then error("math.random needs whole numbers", 2) end
  if from > to then error("math.random needs a lower bound that is not above the upper one", 2) end
  local span = to - from
  local mask = span
  for shift = 0, 5 do mask = mask | mask >> (1 << shift) end
  local value
  repeat value = draw() & mask until value == span or ult(value, span)
  return from + value
end

local function fail(status, message, retry)
  local number = tonumber(status)
  number = number and tointeger(number)
  if not number or number < 0 or number > 1000 or number // 100 == 2 then number = 500 end
  if type(message) == "table" then message = encode(message) or tostring(message) end
  stop(number, nil, message == nil and "" or tostring(message), retry ~= false)
end

local string, table, math, utf8 = string, table, math, utf8
table.move = function(from, first, last, at, to)
  if type(first) == "number" and type(last) == "number" and last - first > 10000000 then
    error("table.move: too many elements", 2)
  end
  return move(from, first, last, at, to == nil and from or to)
end
math.random = random
math.randomseed = function(value)
  run.seed, run.skip, run.draws, seeded = (mtype(value) == "integer" and value or 0) & 0xFFFFFFFF, 0, 0, false
end

-- The error list of an answer, as GS2 clients read it. A message that is such a list already is passed on.
local function error_list(code, text)
  if not code and sub(text, 1, 1) == "[" and #text < 1000000 and utf8len(text) then
    local list = decode(text, false)
    local entry = type(list) == "table" and list[1]
    if type(entry) == "table" and type(entry.message) == "string" then return text end
  end
  text = sub(text, 1, 100000)
  if not utf8len(text) then text = gsub(text, "[\128-\255]", "?") end
  return encode({ { component = "script", message = text, code = code or text } })
end

-- Lua's words for what is larger than any memory.
local too_large = {
  ["resulting string too large"] = true, ["string length overflow"] = true, ["buffer too large"] = true, ["table overflow"] = true,
}

local function explain(problem)
  if not run.line then where() end
  if type(problem) == "string" then
    local number, rest = match(problem, "^script:(%d+): (.*)$")
    if number then run.line, problem = tonumber(number), rest end
    -- Our own functions have no lines.
    problem = gsub(problem, "^%?:%-1: ", "")
    run.no_memory = too_large[problem]
    return problem
  end
  if problem == nil then return "an error without a message" end
  return encode(problem) or "an error that is a " .. type(problem)
end

-- The same names for every script; what it assigned before is kept.
local function fill(env)
  local names = {
    _VERSION = _VERSION, _G = env,
    assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
    rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset, select = select,
    tonumber = tonumber, tostring = tostring, type = type,
    -- A finalizer would run at a time of its own and swallow its errors.
    setmetatable = function(value, meta)
      if type(meta) == "table" and rawget(meta, "__gc") ~= nil then error("__gc is not available", 2) end
      -- The mark of a list is ours, and hides behind the name "list"; a metatable of the script takes its place.
      if rawequal(getmeta(value), list_mark) and (meta == nil or type(meta) == "table") then return setmeta(value, meta) end
      return setmetatable(value, meta)
    end,
    string = string, table = table, math = math, utf8 = utf8,
    os = { time = os.time, date = os.date, clock = function() return clock() - run.started end },
    print = print, fail = fail, gs2 = gs2, util = util, http = http, transaction = transaction,
  }
  for name, value in next, names do
    if rawget(env, name) == nil then env[name] = value end
  end
end

return fill, stop, explain, error_list
