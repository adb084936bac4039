-- The world of one script: its environment, its limits, and how it ends. Runs in a fresh Lua state per script, so every
-- line here is paid for by every script: what few scripts need is in library.lua.
-- Gets: host (the only way out: texts and numbers in, a number or a text back) and what json.lua returns.
-- Returns: execute(...), which raises only when memory is used up outside of the script.
local host, encode, decode, null, list_mark, whole_of, keep_floats = ...
local error, rawget, setmetatable, load, xpcall, collect, sethook = error, rawget, setmetatable, load, xpcall, collectgarbage, debug.sethook
local type, select, find, format, plain = type, select, string.find, string.format, tostring
local next, dump, gsub, utf8len, concat, rep, clock = next, string.dump, string.gsub, utf8.len, table.concat, string.rep, os.clock

-- host's operations; child.py has the same numbers
local LATE, UNLIMIT, LIBRARY = 1, 6, 7
local HOOK_EVERY = 1000000

-- How the script goes: no script can reach this table.
local run = { line_count = 0, lines = {}, draws = 0 }
local fill, stop, explain, error_list

local function library()
  if not fill then
    fill, stop, explain, error_list = load(host(LIBRARY), "=library", "b")(run, host, encode, decode, null, list_mark)
  end
end

local function check_time()
  -- Until here garbage was cheaper to keep: a short script never collects. At the memory limit Lua collects anyway.
  collect("restart")
  local why = host(LATE)
  if why ~= 0 or run.status then
    -- Closing variables run after this error; they get a thousand instructions each.
    sethook(check_time, "", 1000)
    library()
    stop(504, "script.execution.timeout", why == 2 and "the script used up its CPU time" or "the script took too long")
  end
end

run.check_time = check_time

string.dump = nil
string.rep = function(text, count, separator)
  -- Without memory to use up, it would go on for hours.
  if text == "" and (separator == nil or separator == "") then return "" end
  return rep(text, count, separator)
end
getmetatable("").__metatable = "string"

-- Lua would show where a table or a function lies in memory. Shown are numbers, in the order in which they were asked for.
local shown = { string = true, number = true, boolean = true, ["nil"] = true }

local function tostring(value)
  local kind = type(value)
  if kind == "number" then return plain(whole_of(value) or value) end
  if shown[kind] then return plain(value) end
  library()
  return run.name_of(value)
end

run.tostring, run.format = tostring, format

string.format = function(text, ...)
  local plainly = type(text) ~= "string" or not find(text, "%%[^%%%a]*p")
  for index = 1, plainly and select("#", ...) or 0 do
    local value = select(index, ...)
    local kind = type(value)
    if not shown[kind] or kind == "number" and whole_of(value) and find(text, "%%[^%%%a]*s") then plainly = false break end
  end
  -- Through a field: Lua's messages find the function's name there.
  if plainly then return run.format(text, ...) end
  library()
  return run.format_named(text, ...)
end

-- The first look at any other name brings them all. Only through such a name (_G) can a script see its environment.
local env = setmetatable({ string = string, type = type, tostring = tostring, tonumber = tonumber, pairs = pairs, ipairs = ipairs }, {
  __index = function(env, name)
    library()
    setmetatable(env, nil)
    fill(env)
    return rawget(env, name)
  end,
})

local function handler(problem)
  library()
  return explain(problem)
end

return function(source, bytecode, keep, args, as_text, floats, user_id, seed, skip, output_cap, call_cap, result_cap)
  if floats then keep_floats() end
  run.seed, run.skip, run.output_cap, run.call_cap, run.started = seed, skip, output_cap, call_cap, clock()
  local status, retry, result, moves, kept = 200, true, "{}", false, false

  local function refuse(number, code, text)
    library()
    status, result = number, error_list(code, text)
  end

  local function body()
    local chunk, why, value
    if bytecode then
      chunk = load(bytecode, "=script", "b", env)
    else
      chunk, why = load(source, "=script", "t", env)
      if not chunk then
        if why == "not enough memory" then error(why, 0) end
        return refuse(400, "script.execution.syntax", "line " .. gsub(why, "^script:", ""))
      end
      if keep then kept = dump(chunk) end
    end
    value = {}
    if args ~= "{}" then
      value, why = decode(args, not as_text)
      if why then return refuse(400, "script.args.error.invalid", "the arguments are not JSON: " .. why) end
    end
    env.args, env.userId = value, user_id
    chunk()
    value = rawget(env, "result")
    if value ~= nil then
      value, why = encode(value)
      if not value then
        refuse(500, "script.execution.result", "the result is unusable: " .. why)
      elseif #value > result_cap and (utf8len(value) or #value) > result_cap then
        refuse(500, "script.execution.result", "the result is longer than " .. result_cap .. " characters")
      else
        result = value
      end
    end
    if run.actions and status == 200 then moves = encode(run.actions) end
  end

  sethook(check_time, "", HOOK_EVERY)
  local done, problem = xpcall(body, handler)
  sethook()
  if run.status then
    status, retry, moves = run.status, run.retry ~= false, false
    result = error_list(run.code, run.code and run.line and run.text .. ", at line " .. run.line or run.text)
  elseif not done then
    moves = false
    if problem == "not enough memory" or run.no_memory then
      -- What the script still holds goes first; then there must be room for the answer.
      for key in next, env do env[key] = nil end
      run.actions, bytecode, source, args = nil, nil, nil, nil
      collect()
      host(UNLIMIT)
      refuse(500, "script.execution.memory", "the script used up its memory")
    else
      refuse(500, "script.execution.error", (run.line and "line " .. run.line .. ": " or "") .. plain(problem))
    end
  end
  local text = run.line_count > 0 and concat(run.lines, "\n", 1, run.line_count) or ""
  return status, retry, result, run.line_count, text, moves, run.seed, run.draws, kept
end
