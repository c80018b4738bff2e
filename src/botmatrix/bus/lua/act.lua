-- Enqueue an action that leaves before its event is acknowledged, once for its action id.
-- KEYS: act hash, bot hash, orphans stream   ARGV: payload, prefix, ttl s, bot must be online ('1') or not
-- Answer: {'NEW'}, {'OFFLINE'}, {'NOBOT'}, or {state, retcode, message, data} of the first run
local seen = redis.call('HMGET', KEYS[1], 'state', 'retcode', 'message', 'data')
if seen[1] then return seen end
local bot = redis.call('HMGET', KEYS[2], 'nexus', 'state')
if ARGV[4] == '1' then
  if not bot[1] then return {'NOBOT'} end
  if bot[2] == 'offline' then return {'OFFLINE'} end
end
local id = bot[1] and redis.call('XADD', ARGV[2] .. 'actions:' .. bot[1], 'NOMKSTREAM', '*', 'payload', ARGV[1])
if not id then redis.call('XADD', KEYS[3], '*', 'payload', ARGV[1]) end
redis.call('HSET', KEYS[1], 'state', 'QUEUED')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {'NEW'}
