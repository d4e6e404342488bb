-- Applies one transaction whole or not at all. Values are opaque bytes throughout.
--
-- KEYS  1 outcome of this id, 2 names of all documents, 3 sequence, then what the operations name.
-- ARGV  1 lifetime of the outcome in ms, 2 number of guards, 3 number of writes, 4 the highest sequence
--       that the sender has seen, then the operations: a word, the position of its key in KEYS, and
--       its values.
-- Answer: { "committed", "lost" or the position of the guard that failed, sequence }.
local outcome, names, sequence = KEYS[1], KEYS[2], KEYS[3]

local current = tonumber(redis.call('GET', sequence) or 0)
if current < tonumber(ARGV[4]) then
  -- An older copy of the data came back: whatever is decided on it may have happened already.
  return { 'lost', current }
end

local known = redis.call('GET', outcome)
if known then return { known, current } end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = 5
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local function key()
  return KEYS[tonumber(take())]
end

local function counter(name)
  local text = redis.call('GET', name)
  if not text then return 0 end
  return tonumber(text) or error('counter ' .. name .. ' holds no number')
end

-- A lease is held while its fence is this one and its time is not over; one that cannot be read is not.
local function held(lease, fence)
  local record = redis.call('GET', lease)
  if not record then return false end
  local current = string.match(record, '^{"fence":(%d+),')
  local ends = string.match(record, ',"until_us":(%d+)}$')
  return current == fence and ends ~= nil and tonumber(ends) > now
end

local guards = {
  absent = function() return redis.call('EXISTS', key()) == 0 end,
  present = function() return redis.call('EXISTS', key()) == 1 end,
  unchanged = function()
    local value = redis.call('GET', key())
    local version = take()
    return value ~= false and redis.sha1hex(value) == version
  end,
  ceiling = function()
    local value = counter(key())
    local add, most = tonumber(take()), tonumber(take())
    return value + add <= most
  end,
  fence = function()
    local lease = key()
    return held(lease, take())
  end,
}

local function finish(answer, number)
  redis.call('SET', outcome, answer, 'PX', ARGV[1])
  return { answer, number }
end

for position = 1, tonumber(ARGV[2]) do
  if not guards[take()]() then
    return finish(tostring(position - 1), current)
  end
end

-- Nothing is undone in a script, so every write is checked before the first one is made.
local checking = true
local function must_be(kind, name)
  local found = redis.call('TYPE', name).ok
  if found ~= 'none' and found ~= kind then error(name .. ' is a ' .. found .. ', not a ' .. kind) end
end

local writes = {
  add = function()
    local name, amount, ttl = key(), take(), take()
    if checking then
      must_be('string', name)
      return counter(name)
    end
    local exists = redis.call('EXISTS', name) == 1
    local sum = redis.pcall('INCRBY', name, amount)
    if type(sum) == 'table' then
      -- Beyond what a counter can hold: it stays at its end.
      redis.call('SET', name, '9223372036854775807', 'KEEPTTL')
    elseif sum < 0 then
      redis.call('SET', name, '0', 'KEEPTTL')
    end
    if not exists and ttl ~= '' then redis.call('PEXPIRE', name, ttl) end
  end,
  delete = function()
    local document, name = key(), take()
    if checking then return end
    redis.call('DEL', document)
    redis.call('ZREM', names, name)
  end,
  index = function()
    local index, places, member, order = key(), key(), take(), take()
    if checking then
      must_be('zset', index)
      return must_be('hash', places)
    end
    local before = redis.call('HGET', places, member)
    if before then redis.call('ZREM', index, before .. '\0' .. member) end
    redis.call('HSET', places, member, order)
    redis.call('ZADD', index, 0, order .. '\0' .. member)
  end,
  put = function()
    local document, name, value, ttl = key(), take(), take(), take()
    if checking then return end
    if ttl == '' then
      redis.call('SET', document, value)
    else
      redis.call('SET', document, value, 'PX', ttl)
    end
    redis.call('ZADD', names, 0, name)
  end,
  unindex = function()
    local index, places, member = key(), key(), take()
    if checking then
      must_be('zset', index)
      return must_be('hash', places)
    end
    local before = redis.call('HGET', places, member)
    if before then
      redis.call('ZREM', index, before .. '\0' .. member)
      redis.call('HDEL', places, member)
    end
  end,
}

must_be('zset', names)
local first = at
for _, pass in ipairs({ true, false }) do
  checking, at = pass, first
  for _ = 1, tonumber(ARGV[3]) do
    writes[take()]()
  end
end
return finish('committed', redis.call('INCR', sequence))
