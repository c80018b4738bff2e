-- A bot's newest link is here: raise its epoch and tell the nexus that had it.
-- KEYS: bot hash, epoch, bots set    ARGV: bot, nexus inc, prefix, (field, value)*
-- Answer: the new epoch
local old = redis.call('HGET', KEYS[1], 'nexus')
local epoch = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'nexus', ARGV[2], unpack(ARGV, 4))
redis.call('SADD', KEYS[3], ARGV[1])
if old and old ~= ARGV[2] then
  redis.call('PUBLISH', ARGV[3] .. 'superseded:' .. old, ARGV[1] .. ' ' .. epoch)
end
return epoch
