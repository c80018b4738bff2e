-- The turn of actions in a waiting room has come: back to the action stream of the nexus that has the bot.
-- KEYS: room, action stream, set of bots with rooms, bot hash    ARGV: bot, nexus inc, (room entry id, payload)*
-- Answer: how many wait on; -1 when the bot is another nexus's
if redis.call('HGET', KEYS[4], 'nexus') ~= ARGV[2] then return -1 end
for i = 3, #ARGV, 2 do
  if redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i], 'COUNT', 1)[1] then
    if not redis.call('XADD', KEYS[2], 'NOMKSTREAM', '*', 'payload', ARGV[i + 1]) then break end
    redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
local left = redis.call('XLEN', KEYS[1])
if left == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[3], ARGV[1])
end
return left
