-- Put one numbered batch of events on their lanes.
-- KEYS[1] nexus hash (its `seq` exists from the nexus's start on)
-- ARGV: seq, acked (the last batch whose answer the nexus has seen), mark ttl ms, high water, stats key,
--       lanes n, n stream names, events m, m * (lane index, mark or '', payload), then (affinity hash, conversation, lane)*
-- Answer: {'A', letters, last id per lane ('' when none)}   a added, d duplicate, r no such lane any more, f lane full,
--         o what waits for a rule's target is too much: dropped
--         e refused, s a batch before this one met trouble: nothing was done
--         {'D', letters}  this batch was answered before    {'G'} a batch before this one is missing
--         {'L'} Redis has lost this nexus                   {'O', reason} nothing was done: Redis refuses writes
local nexus = KEYS[1]

-- A parking place of a rule's target is made by the first event that is parked there.
local function make_place(key, payload)
  local prefix, place = string.match(key, '^(.-)queue:(.+)$')
  if not prefix or not (string.find(place, '^wait:') or string.find(place, '^away:')) then return false end
  local id = redis.pcall('XADD', key, '*', 'payload', payload)
  if type(id) == 'string' then redis.pcall('SADD', prefix .. 'queue:parkings', place) end
  return id
end

local seq, acked, ttl, high = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local state = redis.call('HMGET', nexus, 'seq', 'bad')
local stored = tonumber(state[1] or nil)
if not stored then return {'L'} end
if seq <= stored then return {'D', redis.call('HGET', nexus, 'r' .. seq % 16) or ''} end
if seq > stored + 1 then return {'G'} end
-- The number first: when Redis is full or its disk is, this is refused before anything has happened.
local numbered = redis.pcall('HSET', nexus, 'seq', seq)
if type(numbered) == 'table' and numbered.err then return {'O', numbered.err} end

local n = tonumber(ARGV[6])
local last, room = {}, {}
for i = 1, n do last[i] = '' end
local at = 7 + n
local m = tonumber(ARGV[at])
local letters, added = {}, 0
-- A batch sent before the nexus knew that an earlier one met a missing or full lane would overtake it: refuse it whole.
local stale = state[2] and tonumber(state[2]) > acked
local bad = false
for i = 1, m do
  local base = at + (i - 1) * 3
  local lane, mark = tonumber(ARGV[base + 1]), ARGV[base + 2]
  local key = ARGV[6 + lane]
  if stale then
    letters[i] = 's'
  else
    if not room[lane] then
      local length = redis.pcall('XLEN', key)
      room[lane] = type(length) == 'number' and high - length or high
    end
    if room[lane] <= 0 and string.find(key, 'queue:wait:', 1, true) then
      letters[i] = 'o'
    elseif room[lane] <= 0 then
      letters[i], bad = 'f', true
    elseif mark ~= '' and not redis.call('SET', mark, '1', 'NX', 'PX', ttl) then
      letters[i] = 'd'
    else
      local id = redis.pcall('XADD', key, 'NOMKSTREAM', '*', 'payload', ARGV[base + 3])
      if not id then id = make_place(key, ARGV[base + 3]) end
      if type(id) == 'string' then
        letters[i], last[lane], added = 'a', id, added + 1
        room[lane] = room[lane] - 1
      else
        -- No rollback in scripts: a mark that outlives a failed XADD would call the retry a duplicate.
        if mark ~= '' then redis.call('DEL', mark) end
        letters[i], bad = id and 'e' or 'r', true
      end
    end
  end
end
local text = table.concat(letters)
if bad or stale then
  redis.call('HSET', nexus, 'r' .. seq % 16, text, 'bad', seq)
else
  redis.call('HSET', nexus, 'r' .. seq % 16, text)
end
if added > 0 then redis.pcall('HINCRBY', ARGV[5], 'accepted', added) end
local i = at + m * 3 + 1
while ARGV[i] do
  redis.pcall('HSET', ARGV[i], ARGV[i + 1], ARGV[i + 2])
  redis.pcall('EXPIRE', ARGV[i], 3600)
  i = i + 3
end
return {'A', text, last}
