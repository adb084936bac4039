-- JSON for scripts: encode(value) -> text | nil, sentence;  decode(text, digits) -> value | nil, sentence;
-- whole_of(number) -> the integer that a whole float is written as | nil;  keep_floats(): whole_of knows none any more.
-- Whole numbers stay exact: what fits 64 bits is an integer, a longer one stays a text, only a number read with a point or
-- an exponent is a float. A float is written so that it reads back the same; a whole one below 2^53, where every integer has
-- a float of its own, is written without a point. Keys are sorted. A table that was read from a list stays one when it is empty.
-- No function here may use a method of a string or a global: the script can change both.
local type, next, rawlen, rawget, tonumber, tostring = type, next, rawlen, rawget, tonumber, tostring
local getmetatable, setmetatable, rawequal = getmetatable, setmetatable, rawequal
local byte, find, sub, gsub, format, char = string.byte, string.find, string.sub, string.gsub, string.format, string.char
local concat, sort = table.concat, table.sort
local mtype, huge, tointeger = math.type, math.huge, math.tointeger
local utf8len, utf8char = utf8.len, utf8.char
local MAX_DEPTH = 100
local SAFE = 0x20000000000000

-- Marks a table as a list, also when it is empty; stands for null inside a list (in an object, null is simply absent).
local list_mark = { __metatable = "list" }
local null = setmetatable({}, {
  __metatable = "null",
  __tostring = function() return "null" end,
  __newindex = function() error("util.null cannot be changed", 2) end,
})

local trouble, buffer, size

local function escape(c)
  return format("\\u%04x", byte(c))
end

local short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function text_of(value)
  if find(value, '[%c"\\\128-\255]') then
    if not utf8len(value) then
      trouble = trouble or "a text that is not UTF-8 cannot be written as JSON"
      return '""'
    end
    return '"' .. gsub(value, '[%c"\\]', function(c) return short[c] or escape(c) end) .. '"'
  end
  return '"' .. value .. '"'
end

local integers = true

local function whole_of(value)
  local whole = integers and mtype(value) == "float" and tointeger(value)
  if whole and whole < SAFE and whole > -SAFE then return whole end
end

local function keep_floats()
  integers = false
end

local function float_of(value)
  local whole = whole_of(value)
  if whole then return whole end
  if value ~= value or value == huge or value == -huge then
    trouble = trouble or "NaN and infinity cannot be written as JSON"
    return "null"
  end
  local text = format("%.15g", value)
  if tonumber(text) ~= value then
    text = format("%.16g", value)
    if tonumber(text) ~= value then text = format("%.17g", value) end
  end
  return find(text, "[.e]") and text or text .. ".0"
end

local write

-- The last place of a table that is marked as a list; what was taken out of its middle left places that are null.
local function last_of(value)
  local last, count = 0, 0
  for key in next, value do
    if mtype(key) ~= "integer" then return end
    count = count + 1
    if key > last then last = key end
  end
  return last <= 2 * count + 16 and last
end

local function write_list(value, last, depth)
  size = size + 1
  buffer[size] = "["
  for index = 1, last do
    if index > 1 then
      size = size + 1
      buffer[size] = ","
    end
    local item = rawget(value, index)
    if item == nil then item = null end
    write(item, depth)
    if trouble then return end
  end
  size = size + 1
  buffer[size] = "]"
end

local function write_object(value, depth)
  local names, values, count = {}, value, 0
  for key in next, value do
    count = count + 1
    if type(key) ~= "string" then names = nil break end
    names[count] = key
  end
  if not names then
    -- Numbers among the keys: JSON knows only texts.
    names, values, count = {}, {}, 0
    for key, item in next, value do
      local name = key
      if mtype(key) == "integer" then
        name = tostring(key)
      elseif type(key) ~= "string" then
        trouble = trouble or "a " .. (mtype(key) or type(key)) .. " cannot be a key in JSON"
        return
      end
      if values[name] ~= nil then
        trouble = trouble or "the key " .. name .. " is there twice, as a number and as a text"
        return
      end
      count = count + 1
      names[count], values[name] = name, item
    end
  end
  if count > 1 then sort(names) end
  for index = 1, count do
    local name = names[index]
    size = size + 1
    buffer[size] = (index == 1 and "{" or ",") .. text_of(name) .. ":"
    write(rawget(values, name), depth)
    if trouble then return end
  end
  size = size + 1
  buffer[size] = "}"
end

function write(value, depth)
  local kind = type(value)
  size = size + 1
  if kind == "string" then
    buffer[size] = text_of(value)
  elseif kind == "number" then
    buffer[size] = mtype(value) == "integer" and value or float_of(value)
  elseif kind == "boolean" then
    buffer[size] = value and "true" or "false"
  elseif kind == "nil" or rawequal(value, null) then
    buffer[size] = "null"
  elseif kind ~= "table" then
    trouble = trouble or "a " .. kind .. " cannot be written as JSON"
  elseif depth >= MAX_DEPTH then
    trouble = trouble or "a table that contains itself, or more than 100 tables inside each other, cannot be written as JSON"
  else
    size = size - 1
    if next(value) == nil then
      size = size + 1
      buffer[size] = getmetatable(value) == "list" and "[]" or "{}"
      return
    end
    local last = getmetatable(value) == "list" and last_of(value) or rawlen(value)
    if last > 0 then
      for key in next, value do
        if mtype(key) ~= "integer" or key < 1 or key > last then
          return write_object(value, depth + 1)
        end
      end
      return write_list(value, last, depth + 1)
    end
    return write_object(value, depth + 1)
  end
end

local function encode(value)
  trouble, buffer, size = nil, {}, 0
  write(value, 0)
  local why, pieces, count = trouble, buffer, size
  trouble, buffer = nil, nil
  if why then return nil, why end
  if count == 1 then return tostring(pieces[1]) end
  return concat(pieces, "", 1, count)
end

-- Decoding. Each reader returns the value and the position behind it, or sets `trouble` and returns nothing.
local digits_become_numbers
local plain = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function refuse(where, sentence)
  trouble = trouble or sentence .. " at character " .. where
end

local function read_escapes(text, start)
  local parts, count, from = {}, 0, start
  while true do
    local at = find(text, '["\\%c]', from)
    local c = at and byte(text, at)
    if c ~= 34 and c ~= 92 and c ~= 127 then return refuse(at or #text, "a text does not end, or holds a bare control character") end
    count = count + 1
    parts[count] = sub(text, from, at - 1)
    if c == 34 then return concat(parts), at + 1 end
    count = count + 1
    from = at + 1
    if c == 127 then
      parts[count] = "\127"
    else
      local letter = sub(text, from, from)
      from = from + 1
      if letter == "u" then
        local _, stop, code = find(text, "^(%x%x%x%x)", from)
        if not code then return refuse(at, "a \\u escape needs four hexadecimal digits") end
        code, from = tonumber(code, 16), stop + 1
        if code >= 0xD800 and code < 0xDC00 then
          local _, last, low = find(text, "^\\u([dD][c-fC-F]%x%x)", from)
          if low then
            code, from = 0x10000 + ((code - 0xD800) << 10) + (tonumber(low, 16) - 0xDC00), last + 1
          end
        end
        -- Half a surrogate pair is not a character.
        if code >= 0xD800 and code < 0xE000 then code = 0xFFFD end
        parts[count] = utf8char(code)
      else
        parts[count] = plain[letter]
        if not parts[count] then return refuse(at, "a text holds an unknown escape") end
      end
    end
  end
end

local function read_text(text, at)
  local stop = find(text, '["\\%c]', at + 1)
  if stop and byte(text, stop) == 34 then return sub(text, at + 1, stop - 1), stop + 1 end
  return read_escapes(text, at + 1)
end

local function read_number(text, at)
  local _, stop = find(text, "^-?%d+", at)
  if not stop then return refuse(at, "a value is missing or unknown") end
  local whole = sub(text, at, stop)
  if find(whole, "^-?0%d") then return refuse(at, "a number begins with 0") end
  local c = byte(text, stop + 1)
  if c ~= 46 and c ~= 69 and c ~= 101 then
    local number = tonumber(whole)
    if mtype(number) == "integer" then return number, stop + 1 end
    -- Longer than 64 bits: as a text it keeps every digit.
    return whole, stop + 1
  end
  if c == 46 then
    _, stop = find(text, "^%.%d+", stop + 1)
    if not stop then return refuse(at, "a number ends with its point") end
    c = byte(text, stop + 1)
  end
  if c == 69 or c == 101 then
    _, stop = find(text, "^[eE][+-]?%d+", stop + 1)
    if not stop then return refuse(at, "a number ends with its exponent sign") end
  end
  local number = tonumber(sub(text, at, stop))
  if number == huge or number == -huge then return refuse(at, "a number is too large") end
  return number, stop + 1
end

local function skip(text, at)
  local c = byte(text, at)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    at = at + 1
    c = byte(text, at)
  end
  return at, c
end

local words = { [116] = "true", [102] = "false", [110] = "null" }

-- Returns value, position behind it. c is the byte at `at`, which is not white space.
local function read(text, at, c, depth, in_list)
  if c == 34 then
    local value, behind = read_text(text, at)
    if digits_become_numbers and value and find(value, "^%d+$") and (#value == 1 or byte(value) ~= 48) then
      local number = tonumber(value)
      if mtype(number) == "integer" then return number, behind end
    end
    return value, behind
  elseif c == 123 then
    if depth >= MAX_DEPTH then return refuse(at, "more than 100 objects and lists are inside each other") end
    local value = {}
    at, c = skip(text, at + 1)
    if c == 125 then return value, at + 1 end
    while true do
      if c ~= 34 then return refuse(at, "an object needs a key in quotation marks") end
      local key, item
      key, at = read_text(text, at)
      if not key then return end
      at, c = skip(text, at)
      if c ~= 58 then return refuse(at, "a colon is missing after a key") end
      at, c = skip(text, at + 1)
      item, at = read(text, at, c, depth + 1, false)
      if not at then return end
      value[key] = item
      at, c = skip(text, at)
      if c == 125 then return value, at + 1 end
      if c ~= 44 then return refuse(at, "a comma or a closing brace is missing") end
      at, c = skip(text, at + 1)
    end
  elseif c == 91 then
    if depth >= MAX_DEPTH then return refuse(at, "more than 100 objects and lists are inside each other") end
    local value, count = {}, 0
    at, c = skip(text, at + 1)
    if c == 93 then return setmetatable(value, list_mark), at + 1 end
    while true do
      local item
      item, at = read(text, at, c, depth + 1, true)
      if not at then return end
      count = count + 1
      value[count] = item
      at, c = skip(text, at)
      if c == 93 then return setmetatable(value, list_mark), at + 1 end
      if c ~= 44 then return refuse(at, "a comma or a closing bracket is missing") end
      at, c = skip(text, at + 1)
    end
  end
  local word = words[c]
  if not word then return read_number(text, at) end
  if sub(text, at, at + #word - 1) ~= word then return refuse(at, "a value is missing or unknown") end
  if c == 110 then return in_list and null or nil, at + 4 end
  return c == 116, at + #word
end

local function decode(text, digits)
  trouble, digits_become_numbers = nil, digits
  local at, c = skip(text, 1)
  local value
  value, at = read(text, at, c, 0, false)
  if at then
    at = skip(text, at)
    if at <= #text then refuse(at, "something follows the value") end
  end
  local why = trouble
  trouble = nil
  if why then return nil, why end
  return value
end

return encode, decode, null, list_mark, whole_of, keep_floats
