-- Move entries from a parking place to a lane or to another parking place, in their order, and note where their
-- conversations went. A place of a rule's target is gone when it is empty.
-- KEYS: parking stream, target stream, set of parking places, who moves parked entries
-- ARGV: name of the parking place, name of the target, who asks, (entry id, affinity hash, conversation)*
-- Answer: how many were moved; it stops at the first that the target does not take; -1: somebody else moves them now
if redis.call('GET', KEYS[4]) ~= ARGV[3] then return -1 end
local moved = 0
local to_place = string.find(ARGV[2], ':', 1, true)

local function add(fields)
  if not to_place then return redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', '*', unpack(fields)) end
  local id = redis.pcall('XADD', KEYS[2], '*', unpack(fields))
  if type(id) == 'string' then redis.call('SADD', KEYS[3], ARGV[2]) end
  return id
end

for i = 4, #ARGV, 3 do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i], 'COUNT', 1)
  if entry[1] then
    if type(add(entry[1][2])) ~= 'string' then break end
    redis.call('XDEL', KEYS[1], ARGV[i])
    redis.call('HSET', ARGV[i + 1], ARGV[i + 2], ARGV[2])
    redis.call('EXPIRE', ARGV[i + 1], 3600)
    moved = moved + 1
  end
end
if string.find(ARGV[1], ':', 1, true) and redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[3], ARGV[1])
end
return moved
