-- Give the thread back, due after a while; a refund takes the attempt back.
-- KEYS: due wake meta    ARGV: thread token delay_ms refund fault
local meta = KEYS[3]
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
redis.call('HDEL', meta, 'token')
if ARGV[5] ~= '' then redis.call('HSET', meta, 'fault', ARGV[5]) end
if ARGV[4] == '1' then redis.call('HINCRBY', meta, 'attempts', -1) end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3]), ARGV[1])
if ARGV[3] == '0' and redis.call('LLEN', KEYS[2]) < 10000 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
return 'released'
