-- Applies one transaction whole or not at all. Values are opaque bytes throughout.
--
-- KEYS  1 outcome of this id, 2 names of all documents, 3 sequence; then the key of each guard, then
--       those of each write: one, or for an index two (its entries, and where each member stands).
-- ARGV  1 lifetime of the outcome in ms, 2 the highest sequence that the sender has seen, 3 how many
--       bytes stand before a document's name in its key, 4 guards and 5 writes, a letter each; then the
--       values of the guards, then those of the writes. The letters are explained where they are read.
-- Answer: { "committed", "lost" or the position of the guard that failed, sequence }.
local call, pcall, KEYS, ARGV = redis.call, redis.pcall, KEYS, ARGV
local sub, tonumber, type, unpack = string.sub, tonumber, type, unpack
local outcome, names, sequence = KEYS[1], KEYS[2], KEYS[3]
local guards, writes = ARGV[4], ARGV[5]

local current = tonumber(call('GET', sequence) or 0) or error(sequence .. ' holds no number')
if current < tonumber(ARGV[2]) then
  -- An older copy of the data came back: whatever is decided on it may have happened already.
  return { 'lost', current }
end

local known = call('GET', outcome)
if known then return { known, current } end

local at, named = 5, 3
local function take()
  at = at + 1
  return ARGV[at]
end
local function key()
  named = named + 1
  return KEYS[named]
end

-- Counters as they were found; `false` is absent.
local counters = {}
local function counter(name)
  local text = counters[name]
  if text == nil then
    text = call('GET', name)
    if text and not string.find(text, '^%d+$') then error('counter ' .. name .. ' holds no number') end
    counters[name] = text
  end
  return text
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

-- A few names that have to be absent are asked for at once: mostly none is there.
local absent = {}
for position = 1, #guards do
  if sub(guards, position, position) == 'a' then absent[#absent + 1] = KEYS[3 + position] end
end
local none_there = #absent > 0 and #absent <= 1000 and call('EXISTS', unpack(absent)) == 0

local function holds(guard)
  local name = key()
  -- absent
  if guard == 'a' then return none_there or call('EXISTS', name) == 0 end
  -- ceiling: what is added, the highest sum
  if guard == 'c' then
    local add, most = tonumber(take()), tonumber(take())
    return tonumber(counter(name) or 0) + add <= most
  end
  -- fence: its number
  if guard == 'f' then return held(name, take()) end
  -- present
  if guard == 'p' then return call('EXISTS', name) == 1 end
  -- unchanged: the version
  if guard == 'u' then
    local version = take()
    local value = call('GET', name)
    return value and redis.sha1hex(value) == version
  end
  error('no such guard: ' .. guard)
end

for position = 1, #guards do
  if not holds(sub(guards, position, position)) then
    local answer = tostring(position - 1)
    call('SET', outcome, answer, 'PX', ARGV[1])
    return { answer, current }
  end
end

-- Nothing is undone in a script, so every write is checked before the first one is made: by asking
-- what it has to know anyway, and for its kind where there is nothing to know.
local kinds, places_of, named_before = {}, {}, named
-- Whether each document that is written is there afterwards.
local documents, there = {}, {}

local function document(name, stays)
  if there[name] == nil then documents[#documents + 1] = name end
  there[name] = stays
end

local function check(write)
  local name = key()
  -- put, and one that expires
  if write == 'p' or write == 'e' then
    document(name, true)
  -- delete
  elseif write == 'd' then
    document(name, false)
  -- add, and with a lifetime
  elseif write == 'n' or write == 'l' then
    counter(name)
    at = at + (write == 'n' and 1 or 2)
  -- index: member, place; unindex: member
  else
    local places, member = key(), take()
    if write == 'i' then at = at + 1 end
    if not kinds[name] then
      local kind = call('TYPE', name).ok
      if kind ~= 'none' and kind ~= 'zset' then error(name .. ' is a ' .. kind .. ', not a zset') end
      kinds[name] = true
    end
    local found = places_of[places]
    if not found then
      found = {}
      places_of[places] = found
    end
    if found[member] == nil then
      local place = pcall('HGET', places, member)
      if type(place) == 'table' then error(places .. ' is not a hash') end
      found[member] = place
    end
  end
  -- The values of puts.
  if write == 'p' then at = at + 1 elseif write == 'e' then at = at + 2 end
end

local function apply(write)
  local name = key()
  if write == 'p' then
    call('SET', name, take())
  elseif write == 'e' then
    call('SET', name, take(), 'PX', take())
  elseif write == 'd' then
    call('DEL', name)
  elseif write == 'n' or write == 'l' then
    local amount = take()
    if counters[name] then
      local sum = pcall('INCRBY', name, amount)
      if type(sum) == 'table' then
        -- Beyond what a counter can hold: it stays at its end.
        call('SET', name, '9223372036854775807', 'KEEPTTL')
      elseif sum < 0 then
        call('SET', name, '0', 'KEEPTTL')
      end
      if write == 'l' then take() end
    else
      if sub(amount, 1, 1) == '-' then amount = '0' end
      if write == 'l' then call('SET', name, amount, 'PX', take()) else call('SET', name, amount) end
      counters[name] = amount
    end
  else
    local places, member = key(), take()
    local place, before = write == 'i' and take(), places_of[places][member]
    if before and before ~= place then call('ZREM', name, before .. '\0' .. member) end
    if place then
      call('HSET', places, member, place)
      call('ZADD', name, '0', place .. '\0' .. member)
    elseif before then
      call('HDEL', places, member)
    end
    places_of[places][member] = place
  end
end

local first = at
for position = 1, #writes do check(sub(writes, position, position)) end

-- The list of names is written first: it is the only one whose kind was not asked for.
local begin = ARGV[3] + 1
local function list(command, stay)
  local arguments = {}
  local function send()
    if #arguments > 0 then call(command, names, unpack(arguments)) end
    arguments = {}
  end
  for _, name in ipairs(documents) do
    if there[name] == stay then
      if stay then arguments[#arguments + 1] = '0' end
      arguments[#arguments + 1] = sub(name, begin)
      if #arguments >= 1000 then send() end
    end
  end
  send()
end
if #documents > 0 then
  list('ZADD', true)
  list('ZREM', false)
end

at, named = first, named_before
for position = 1, #writes do apply(sub(writes, position, position)) end
call('SET', outcome, 'committed', 'PX', ARGV[1])
return { 'committed', call('INCR', sequence) }
