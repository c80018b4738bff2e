-- A worker is about to ask a bot's HTTP API itself: once for the action's id, and only what nothing makes wait.
-- KEYS: act hash, bot hash, waiting room of the bot, config:ratelimit
-- ARGV: ttl s, worker, whether it is a message ('1'), whether it may be asked again ('1')
-- Answer: {'NEW'} it is SENT now; {'NEXUS'} it has to go by the nexus; or {state, retcode, message, data} of the first run
local seen = redis.call('HMGET', KEYS[1], 'state', 'retcode', 'message', 'data')
if seen[1] and not (ARGV[4] == '1' and seen[1] == 'SENT') then return seen end
local bot = redis.call('HMGET', KEYS[2], 'nexus', 'state')
if not bot[1] or bot[2] == 'offline' then return {'NEXUS'} end
if ARGV[3] == '1' then
  if redis.call('EXISTS', KEYS[3]) == 1 then return {'NEXUS'} end
  local limits = redis.call('HGETALL', KEYS[4])
  for i = 1, #limits, 2 do
    local name = limits[i]
    local sends = name == 'send_bot_per_min' or name == 'send_target_per_min' or string.sub(name, -11) == ':send_limit'
    if sends and (tonumber(limits[i + 1]) or 1) > 0 then return {'NEXUS'} end
  end
end
redis.call('HSET', KEYS[1], 'state', 'SENT', 'worker', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {'NEW'}
