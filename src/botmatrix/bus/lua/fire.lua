-- Take, keep or end one run of what the clock starts, so that each time is run once in the cluster.
-- KEYS: hash of all   ARGV: name, time it is due (unix s), who asks, now (ms), lease ms ('0': it is done)
-- Answer: 1 it is yours (or was, and is done), 0 somebody else runs it now, -1 it was run, or a later one was
-- Kept is `due|who|until ms`, with an empty `who` when it is done.
local kept = redis.call('HGET', KEYS[1], ARGV[1])
local due, now, lease = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
if kept then
  local last, who, till = string.match(kept, '^(%d+)|(.-)|(%d+)$')
  if tonumber(last) > due then return -1 end
  if tonumber(last) == due then
    if who == '' then return -1 end
    if who ~= ARGV[3] and tonumber(till) > now then return 0 end
  end
end
local who = lease > 0 and ARGV[3] or ''
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d|%s|%d', due, who, now + lease))
return 1
