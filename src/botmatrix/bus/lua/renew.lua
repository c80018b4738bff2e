-- Renew a lease and say which lanes are still its holder's.
-- KEYS: lease, own    ARGV: inc, ttl ms, lanes...
-- Answer: the lanes of ARGV whose owner is inc
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
local mine = {}
for i = 3, #ARGV do
  local own = redis.call('HGET', KEYS[2], ARGV[i])
  if own and string.match(own, '|(.*)$') == ARGV[1] then mine[#mine + 1] = ARGV[i] end
end
return mine
