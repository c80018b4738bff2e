-- Renew a lease and say which lanes are still its holder's.
-- KEYS: lease, own    ARGV: inc, ttl ms, lanes...
-- Answer: the lanes of ARGV whose owner is inc
-- PEXPIRE first: a full Redis takes it, and after it lets the script finish (see settle.lua).
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then redis.call('SET', KEYS[1], '1', 'PX', ARGV[2]) end
local mine = {}
for i = 3, #ARGV do
  local own = redis.call('HGET', KEYS[2], ARGV[i])
  if own and string.match(own, '|(.*)$') == ARGV[1] then mine[#mine + 1] = ARGV[i] end
end
return mine
