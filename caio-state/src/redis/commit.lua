-- Applies transactions in order, each whole or not at all. Values are opaque bytes throughout.
--
-- All are decided before anything is written: what an earlier one of the same call leaves behind is kept
-- in tables, where the later ones look first. Then everything is written at once, each name once.
--
-- KEYS  1 names of all documents, 2 sequence; then the outcome of each transaction, the documents that
--       have to be absent, the counters, and everything else, each once. An index has two in a row: its
--       entries, and where each member stands.
-- ARGV  1 lifetime of outcomes in ms, 2 the highest sequence that the sender has seen, 3 how many bytes
--       stand before a document's name in its key, 4 transactions, 5 absent documents, 6 counters; then
--       the program of each transaction; then the values that the programs take, in their order.
-- A program is its number of values and of guards, then a letter and the position of a key for each
-- guard and each write. Numbers are three bytes, the highest first. The letters are explained where they
-- are read.
-- Answer: { sequence, then for each transaction "committed" or the position of the guard that failed }, or
-- { sequence, "lost" }.
local call, pcall, KEYS, ARGV = redis.call, redis.pcall, KEYS, ARGV
local byte, find, format, match, sub = string.byte, string.find, string.format, string.match, string.sub
local tonumber, type, unpack = tonumber, type, unpack
local names, sequence, life = KEYS[1], KEYS[2], ARGV[1]
local transactions, absent, counted = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- Arguments of one command: more would not fit on Lua's stack.
local MOST = 1000
-- Up to here Lua holds numbers exactly.
local EXACT = 9007199254740992

local current = tonumber(call('GET', sequence) or 0) or error(sequence .. ' holds no number')
if current < tonumber(ARGV[2]) then
  -- An older copy of the data came back: whatever is decided on it may have happened already.
  return { current, 'lost' }
end

-- Acts on a part of a list at a time, as much as one command takes.
local function each_part(first, last, act)
  for from = first, last, MOST do
    local to = from + MOST - 1
    act(from, to < last and to or last)
  end
end

-- Outcomes that are known already; most are not.
local first_absent, first_counter = 3 + transactions, 3 + transactions + absent
local known, known_count = {}, 0
each_part(3, first_absent - 1, function(from, to)
  for at, text in ipairs(call('MGET', unpack(KEYS, from, to))) do
    known[KEYS[from + at - 1]] = text
    if text then known_count = known_count + 1 end
  end
end)
-- What has to be absent is asked for at once, and with it whether an outcome is of another kind.
local there_count = 0
each_part(3, first_counter - 1, function(from, to)
  there_count = there_count + call('EXISTS', unpack(KEYS, from, to))
end)
local none_there = there_count == known_count
if not none_there then
  for at = 3, first_absent - 1 do known[KEYS[at]] = call('GET', KEYS[at]) end
end

-- Documents as they are at this point; `false` is absent, unknown is nil.
local value, version, exists, changed, changes, lives = {}, {}, {}, {}, {}, {}
if none_there then
  for at = first_absent, first_counter - 1 do exists[KEYS[at]] = false end
end
local function get(name)
  local text = value[name]
  if text == nil then
    text = call('GET', name)
    value[name] = text
  end
  return text
end
local function is_there(name)
  local found = exists[name]
  if found == nil then
    found = call('EXISTS', name) == 1
    exists[name] = found
  end
  return found
end
local function change(name, text, lifetime)
  if not changed[name] then
    changed[name] = true
    changes[#changes + 1] = name
  end
  value[name], exists[name], version[name], lives[name] = text, text and true, nil, lifetime
end

-- Counters as they were found and as they are at this point.
local counters, counts, as_found = {}, {}, {}
each_part(first_counter, first_counter + counted - 1, function(from, to)
  for at, text in ipairs(call('MGET', unpack(KEYS, from, to))) do as_found[KEYS[from + at - 1]] = text end
end)
local function counter(name)
  local it = counters[name]
  if not it then
    -- One of another kind looks absent; asked for by itself it says so.
    local text = as_found[name] or call('GET', name)
    if text and not find(text, '^%d+$') then error('counter ' .. name .. ' holds no number') end
    it = { found = text, sum = tonumber(text or 0) }
    it.exact = it.sum < EXACT
    counters[name] = it
  end
  return it
end
local function add(name, amount, lifetime)
  local it = counter(name)
  local adds = it.adds
  if not adds then
    adds = {}
    it.adds, it.life = adds, lifetime
    counts[#counts + 1] = name
  end
  adds[#adds + 1] = amount
  local sum = it.sum + tonumber(amount)
  if sum < 0 then sum = 0 end
  it.sum, it.exact = sum, it.exact and sum < EXACT
end

-- Indexes that are written: the members, and the last place of each, `false` for none.
local indexes, index_names = {}, {}
local function place(position, member, where)
  local name = KEYS[position]
  local it = indexes[name]
  if not it then
    it = { places = KEYS[position + 1], members = {}, place = {} }
    indexes[name] = it
    index_names[#index_names + 1] = name
  end
  if it.place[member] == nil then it.members[#it.members + 1] = member end
  it.place[member] = where
end

-- A lease is held while its fence is this one and its time is not over; one that cannot be read is not.
local time
local function held(lease, fence)
  local record = get(lease)
  if not record then return false end
  local current_fence = match(record, '^{"fence":(%d+),')
  local ends = match(record, ',"until_us":(%d+)}$')
  if current_fence ~= fence or not ends then return false end
  if not time then
    local now = call('TIME')
    time = now[1] * 1000000 + now[2]
  end
  return tonumber(ends) > time
end

local at
local function take()
  at = at + 1
  return ARGV[at]
end

local function holds(guard, name)
  -- absent
  if guard == 97 then return not is_there(name) end
  -- ceiling: what is added, the highest sum
  if guard == 99 then
    local amount, most = tonumber(take()), tonumber(take())
    return counter(name).sum + amount <= most
  end
  -- fence: its number
  if guard == 102 then return held(name, take()) end
  -- present
  if guard == 112 then return is_there(name) end
  -- unchanged: the version
  if guard == 117 then
    local expected, text = take(), get(name)
    if not text then return false end
    local is = version[name]
    if not is then
      is = redis.sha1hex(text)
      version[name] = is
    end
    return is == expected
  end
  error('no such guard: ' .. guard)
end

local function write(letter, position)
  local name = KEYS[position]
  -- put, and one that expires
  if letter == 112 then
    change(name, take())
  elseif letter == 101 then
    local text = take()
    change(name, text, take())
  -- index: member, place
  elseif letter == 105 then
    local member = take()
    place(position, member, take())
  -- unindex: member
  elseif letter == 120 then
    place(position, take(), false)
  -- add, and with a lifetime
  elseif letter == 110 then
    add(name, take(), false)
  elseif letter == 108 then
    local amount = take()
    add(name, amount, take())
  -- delete
  elseif letter == 100 then
    change(name, false)
  else
    error('no such write: ' .. letter)
  end
end

local function decide(program)
  local a, b, c, d, e, f = byte(program, 1, 6)
  local last_guard = 6 + 4 * (d * 65536 + e * 256 + f)
  local letter, high, middle, low
  for from = 7, #program, 4 do
    letter, high, middle, low = byte(program, from, from + 3)
    local position = high * 65536 + middle * 256 + low
    if from > last_guard then
      write(letter, position)
    elseif not holds(letter, KEYS[position]) then
      return format('%d', (from - 7) / 4)
    end
  end
  return 'committed'
end

local answers, outcomes, committed = { 0 }, {}, 0
local values = 6 + transactions
for number = 1, transactions do
  local program, outcome = ARGV[6 + number], KEYS[2 + number]
  local answer = known[outcome]
  if not answer then
    at = values
    answer = decide(program)
    if answer == 'committed' then committed = committed + 1 end
    known[outcome] = answer
    outcomes[#outcomes + 1] = outcome
  end
  answers[number + 1] = answer
  local a, b, c = byte(program, 1, 3)
  values = values + a * 65536 + b * 256 + c
end

-- Nothing is undone in a script, so every name is asked for its kind before the first write.
for _, name in ipairs(index_names) do
  local kind = call('TYPE', name).ok
  if kind ~= 'none' and kind ~= 'zset' then error(name .. ' is a ' .. kind .. ', not a zset') end
  local it = indexes[name]
  local places, members = it.places, it.members
  it.before = {}
  if #members == 1 then
    local before = pcall('HGET', places, members[1])
    if type(before) == 'table' then error(places .. ' is not a hash') end
    it.before[members[1]] = before
  else
    each_part(1, #members, function(from, to)
      local found = pcall('HMGET', places, unpack(members, from, to))
      if found.err then error(places .. ' is not a hash') end
      for position, before in ipairs(found) do it.before[members[from + position - 1]] = before end
    end)
  end
end

-- A command on one name with the arguments of many.
local function send(command, name, arguments)
  local last = #arguments
  if last == 0 then return end
  if last <= MOST then return call(command, name, unpack(arguments)) end
  each_part(1, last, function(from, to) call(command, name, unpack(arguments, from, to)) end)
end

-- The list of names is written first: it is the only one whose kind was not asked for.
local begin = ARGV[3] + 1
local put, deleted, listed, unlisted = {}, {}, {}, {}
for _, name in ipairs(changes) do
  local text = value[name]
  if text then
    listed[#listed + 1] = '0'
    listed[#listed + 1] = sub(name, begin)
    if not lives[name] then
      put[#put + 1] = name
      put[#put + 1] = text
    end
  else
    unlisted[#unlisted + 1] = sub(name, begin)
    deleted[#deleted + 1] = name
  end
end
send('ZADD', names, listed)
send('ZREM', names, unlisted)
each_part(1, #put, function(from, to) call('MSET', unpack(put, from, to)) end)
each_part(1, #deleted, function(from, to) call('DEL', unpack(deleted, from, to)) end)
for _, name in ipairs(changes) do
  if value[name] and lives[name] then call('SET', name, value[name], 'PX', lives[name]) end
end

-- Beyond what Lua holds exactly, each is added by itself; beyond what a counter can hold it stays at its end.
local function add_each(name, it)
  for _, amount in ipairs(it.adds) do
    local sum = pcall('INCRBY', name, amount)
    if type(sum) == 'table' then
      call('SET', name, '9223372036854775807', 'KEEPTTL')
    elseif sum < 0 then
      call('SET', name, '0', 'KEEPTTL')
    end
  end
end
for _, name in ipairs(counts) do
  local it = counters[name]
  local sum = it.exact and format('%.0f', it.sum) or '0'
  if it.found then
    if it.exact then call('SET', name, sum, 'KEEPTTL') else add_each(name, it) end
  else
    if it.life then call('SET', name, sum, 'PX', it.life) else call('SET', name, sum) end
    if not it.exact then add_each(name, it) end
  end
end

local function move(name, places, member, place, before)
  if before and before ~= place then call('ZREM', name, before .. '\0' .. member) end
  if place then
    call('HSET', places, member, place)
    call('ZADD', name, '0', place .. '\0' .. member)
  elseif before then
    call('HDEL', places, member)
  end
end
local function move_all(name, it)
  local gone, forgotten, placed, remembered = {}, {}, {}, {}
  for _, member in ipairs(it.members) do
    local place, before = it.place[member], it.before[member]
    if before and before ~= place then gone[#gone + 1] = before .. '\0' .. member end
    if place then
      remembered[#remembered + 1] = member
      remembered[#remembered + 1] = place
      placed[#placed + 1] = '0'
      placed[#placed + 1] = place .. '\0' .. member
    elseif before then
      forgotten[#forgotten + 1] = member
    end
  end
  send('ZREM', name, gone)
  send('HDEL', it.places, forgotten)
  send('HSET', it.places, remembered)
  send('ZADD', name, placed)
end
for _, name in ipairs(index_names) do
  local it = indexes[name]
  local only = it.members[1]
  if it.members[2] then
    move_all(name, it)
  else
    move(name, it.places, only, it.place[only], it.before[only])
  end
end

for _, outcome in ipairs(outcomes) do call('SET', outcome, known[outcome], 'PX', life) end
if committed > 0 then current = call('INCRBY', sequence, committed) end
answers[1] = current
return answers
