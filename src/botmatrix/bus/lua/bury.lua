-- Turn a parked entry into a dead letter: nobody may or will handle it.
-- KEYS: parking stream, dead stream, stats hash    ARGV: entry id, reason, name of the parking place
-- Answer: 1 buried, 0 there is no such entry
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1], 'COUNT', 1)
if not entry[1] then return 0 end
local payload = ''
for i = 1, #entry[1][2], 2 do
  if entry[1][2][i] == 'payload' then payload = entry[1][2][i + 1] end
end
redis.call('XADD', KEYS[2], '*', 'payload', payload, 'reason', ARGV[2], 'lane', ARGV[3], 'entry', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'dead', 1)
return 1
