-- Append to the record, once, and renew the lease.
-- KEYS: due turns meta    ARGV: thread token expected_step lease_ms window row…
local meta = KEYS[3]
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
local step, expected = tonumber(redis.call('HGET', meta, 'step')), tonumber(ARGV[3])
if step == expected then
  for i = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
  redis.call('HSET', meta, 'step', expected + 1, 'window', ARGV[5])
elseif step ~= expected + 1 then
  return 'fenced'
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[4]), ARGV[1])
return 'order:' .. (redis.call('HGET', meta, 'order') or '')
