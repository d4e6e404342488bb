-- Applies one transaction whole or not at all. Values are opaque bytes throughout.
--
-- KEYS  1 outcome of this id, 2 names of all documents, 3 sequence, then what the operations name.
-- ARGV  1 lifetime of the outcome in ms, 2 number of guards, 3 number of writes, 4 the highest sequence
--       that the sender has seen, then the operations: a word, the position of its key in KEYS, and
--       its values.
-- Answer: { "committed", "lost" or the position of the guard that failed, sequence }.
local call, KEYS, ARGV = redis.call, KEYS, ARGV
local outcome, names, sequence = KEYS[1], KEYS[2], KEYS[3]

local current = tonumber(call('GET', sequence) or 0)
if current < tonumber(ARGV[4]) then
  -- An older copy of the data came back: whatever is decided on it may have happened already.
  return { 'lost', current }
end

local known = call('GET', outcome)
if known then return { known, current } end

local at = 4
local function take()
  at = at + 1
  return ARGV[at]
end
local function key()
  at = at + 1
  return KEYS[tonumber(ARGV[at])]
end

local function counter(name)
  local text = call('GET', name)
  if not text then return 0 end
  return tonumber(text) or error('counter ' .. name .. ' holds no number')
end

-- A lease is held while its fence is this one and its time is not over; one that cannot be read is not.
local function held(lease, fence)
  local record = call('GET', lease)
  if not record then return false end
  local current_fence = string.match(record, '^{"fence":(%d+),')
  local ends = string.match(record, ',"until_us":(%d+)}$')
  if current_fence ~= fence or not ends then return false end
  local time = call('TIME')
  return tonumber(ends) > time[1] * 1000000 + time[2]
end

local function holds(guard)
  local name = key()
  if guard == 'absent' then return call('EXISTS', name) == 0 end
  if guard == 'present' then return call('EXISTS', name) == 1 end
  if guard == 'fence' then return held(name, take()) end
  if guard == 'unchanged' then
    local version = take()
    local value = call('GET', name)
    return value and redis.sha1hex(value) == version
  end
  if guard == 'ceiling' then
    local add, most = tonumber(take()), tonumber(take())
    return counter(name) + add <= most
  end
  error('no such guard: ' .. guard)
end

local function finish(answer, number)
  call('SET', outcome, answer, 'PX', ARGV[1])
  return { answer, number }
end

for position = 1, tonumber(ARGV[2]) do
  if not holds(take()) then return finish(tostring(position - 1), current) end
end

-- Nothing is undone in a script, so every write is checked before the first one is made.
local checked = {}
local function must_be(kind, name)
  if checked[name] then return end
  local found = call('TYPE', name).ok
  if found ~= 'none' and found ~= kind then
    error(name .. ' is a ' .. found .. ', not a ' .. kind)
  end
  checked[name] = true
end

local function check(write)
  local name = key()
  if write == 'put' then
    at = at + 3
  elseif write == 'delete' then
    at = at + 1
  elseif write == 'add' then
    at = at + 2
    counter(name)
  else
    must_be('zset', name)
    must_be('hash', key())
    at = at + (write == 'index' and 2 or 1)
  end
end

local function apply(write)
  local name = key()
  if write == 'put' then
    local document, value, ttl = take(), take(), take()
    if ttl == '' then
      call('SET', name, value)
    else
      call('SET', name, value, 'PX', ttl)
    end
    call('ZADD', names, 0, document)
  elseif write == 'delete' then
    call('DEL', name)
    call('ZREM', names, take())
  elseif write == 'add' then
    local amount, ttl = take(), take()
    local lives = ttl ~= '' and call('EXISTS', name) == 0
    local sum = redis.pcall('INCRBY', name, amount)
    if type(sum) == 'table' then
      -- Beyond what a counter can hold: it stays at its end.
      call('SET', name, '9223372036854775807', 'KEEPTTL')
    elseif sum < 0 then
      call('SET', name, '0', 'KEEPTTL')
    end
    if lives then call('PEXPIRE', name, ttl) end
  else
    local places, member = key(), take()
    local before = call('HGET', places, member)
    if before then call('ZREM', name, before .. '\0' .. member) end
    if write == 'index' then
      local order = take()
      call('HSET', places, member, order)
      call('ZADD', name, 0, order .. '\0' .. member)
    elseif before then
      call('HDEL', places, member)
    end
  end
end

must_be('zset', names)
local first = at
for _ = 1, tonumber(ARGV[3]) do check(take()) end
at = first
for _ = 1, tonumber(ARGV[3]) do apply(take()) end
return finish('committed', call('INCR', sequence))
