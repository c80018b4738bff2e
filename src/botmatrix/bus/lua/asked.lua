-- When a question was first asked, and behind which entry of the lane its answers come.
-- KEYS: mark of the question, lane stream   ARGV: ttl s
-- Answer: {id of the last entry before the question, ms since it was first asked}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at, after = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.+)$')
if at then return {after, now - at} end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
after = last and last[1] or '0-0'
redis.call('SET', KEYS[1], string.format('%.0f', now) .. ' ' .. after, 'EX', ARGV[1])
return {after, 0}
