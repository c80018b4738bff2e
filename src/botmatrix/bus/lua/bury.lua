-- Turn parked entries into dead letters: nobody may or will handle them. A place of a rule's target is gone when empty.
-- KEYS: parking stream, dead stream, stats hash, set of parking places
-- ARGV: name of the parking place, reason, entry ids
-- Answer: how many were buried
local buried = 0
for i = 3, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i], 'COUNT', 1)
  if entry[1] then
    local payload = ''
    for at = 1, #entry[1][2], 2 do
      if entry[1][2][at] == 'payload' then payload = entry[1][2][at + 1] end
    end
    redis.call('XADD', KEYS[2], '*', 'payload', payload, 'reason', ARGV[2], 'lane', ARGV[1], 'entry', ARGV[i])
    redis.call('XDEL', KEYS[1], ARGV[i])
    buried = buried + 1
  end
end
if buried > 0 then redis.call('HINCRBY', KEYS[3], 'dead', buried) end
if string.find(ARGV[1], ':', 1, true) and redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[4], ARGV[1])
end
return buried
