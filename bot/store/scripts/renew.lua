-- Keep the thread for another lease time and hear orders.
-- KEYS: due meta    ARGV: thread token lease_ms
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then return 'fenced' end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3]), ARGV[1])
return 'order:' .. (redis.call('HGET', KEYS[2], 'order') or '')
