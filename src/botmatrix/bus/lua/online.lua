-- Which bots are online at a nexus that lives.
-- KEYS: none    ARGV: prefix of bot hashes, prefix of leases, bots
-- Answer: 1 or 0 for each
local answer = {}
for i = 3, #ARGV do
  local bot = redis.pcall('HMGET', ARGV[1] .. ARGV[i], 'state', 'nexus')
  local there = bot[1] == 'online' and bot[2] and redis.call('EXISTS', ARGV[2] .. bot[2]) == 1
  answer[i - 2] = there and 1 or 0
end
return answer
