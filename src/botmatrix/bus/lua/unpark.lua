-- Move entries from the parking place to a lane, in their order, and note where their conversations went.
-- KEYS: parking stream, lane stream    ARGV: lane, (entry id, affinity hash, conversation)*
-- Answer: how many were moved; it stops at the first that the lane does not take
local moved = 0
for i = 2, #ARGV, 3 do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i], 'COUNT', 1)
  if entry[1] then
    local id = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', '*', unpack(entry[1][2]))
    if type(id) ~= 'string' then return moved end
    redis.call('XDEL', KEYS[1], ARGV[i])
    redis.call('HSET', ARGV[i + 1], ARGV[i + 2], ARGV[1])
    redis.call('EXPIRE', ARGV[i + 1], 3600)
    moved = moved + 1
  end
end
return moved
