-- Actions of a nexus that is gone (or of none): what was read was perhaps sent and becomes UNKNOWN, the rest is handed
-- to the nexus that has the bot now, or expires, or waits for the bot.
-- KEYS: action stream, nexuses set, stats hash    ARGV: inc or '' for the orphans, prefix, lease prefix, act ttl s
-- Answer: {handed on, unknown, expired, left}
local stream, inc, prefix = KEYS[1], ARGV[1], ARGV[2]
if inc ~= '' and redis.call('EXISTS', ARGV[3] .. inc) == 1 then return {0, 0, 0, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sent = {}
if inc ~= '' then
  local pending = redis.pcall('XPENDING', stream, 'g', '-', '+', 10000)
  if not pending.err then
    for _, entry in ipairs(pending) do sent[entry[1]] = true end
  end
end
local moved, unknown, expired, left = 0, 0, 0, 0

local function finish(action, state)
  local key = prefix .. 'act:' .. action.aid
  redis.pcall('HSET', key, 'state', state, 'retcode', '0', 'message', '', 'data', 'null')
  redis.pcall('EXPIRE', key, ARGV[4])
  local waits = action.reply_to
  if type(waits) == 'string' and waits ~= '' then redis.call('PUBLISH', prefix .. 'act:done:' .. waits, action.aid) end
end

for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 500)) do
  local id, payload = entry[1], entry[2][2]
  local fine, action = pcall(cjson.decode, payload)
  if not fine or type(action) ~= 'table' or type(action.aid) ~= 'string' or type(action.bot) ~= 'string' then
    redis.call('XDEL', stream, id)
    redis.call('HINCRBY', KEYS[3], 'actions_undecodable', 1)
  else
    local repeatable = string.sub(tostring(action.action), 1, 4) == 'get_'
    if sent[id] and not repeatable then
      finish(action, 'UNKNOWN')
      redis.call('XDEL', stream, id)
      unknown = unknown + 1
    elseif (tonumber(action.exp) or 0) < now then
      finish(action, 'EXPIRED')
      redis.call('XDEL', stream, id)
      expired = expired + 1
    else
      local nexus = redis.pcall('HGET', prefix .. 'bot:' .. action.bot, 'nexus')
      local handed = type(nexus) == 'string' and nexus ~= inc
        and redis.pcall('XADD', prefix .. 'actions:' .. nexus, 'NOMKSTREAM', '*', 'payload', payload)
      if type(handed) == 'string' then
        redis.call('XDEL', stream, id)
        moved = moved + 1
      else
        left = left + 1
      end
    end
  end
end
if unknown > 0 then redis.call('HINCRBY', KEYS[3], 'actions_unknown', unknown) end
if expired > 0 then redis.call('HINCRBY', KEYS[3], 'actions_expired', expired) end
if inc ~= '' and redis.call('XLEN', stream) == 0 then
  redis.call('DEL', stream)
  redis.call('SREM', KEYS[2], inc)
end
return {moved, unknown, expired, left}
