-- Give a lane back at an orderly stop: the next owner may join at once and blames nobody.
-- KEYS: own    ARGV: lane, inc
local own = redis.call('HGET', KEYS[1], ARGV[1])
local epoch, inc = string.match(own or '', '^(%d+)|(.*)$')
if inc ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], epoch .. '|')
return 1
