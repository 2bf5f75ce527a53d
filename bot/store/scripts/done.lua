-- The turn is settled: the thread is idle, or due again when mail has come meanwhile.
-- KEYS: due wake open inbox turns meta dead    ARGV: thread token retention_ms dead_letter
local meta = KEYS[6]
if redis.call('HGET', meta, 'settled') == ARGV[2] then return 'done' end
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
if ARGV[4] ~= '' then redis.call('RPUSH', KEYS[7], ARGV[4]) end
redis.call('DECRBY', KEYS[3], redis.call('HGET', meta, 'count'))
redis.call('HDEL', meta, 'token', 'active', 'step', 'attempts', 'begins', 'author', 'count', 'joined', 'out', 'order', 'refs', 'fault')
redis.call('HSET', meta, 'settled', ARGV[2])
-- Written again: a hash that once held a long value (the reply) keeps the form that takes three times the memory.
local state = redis.call('HGETALL', meta)
redis.call('DEL', meta)
for i = 1, #state, 1000 do redis.call('HSET', meta, unpack(state, i, math.min(i + 999, #state))) end
redis.call('PEXPIRE', meta, ARGV[3])
redis.call('PEXPIRE', KEYS[5], ARGV[3])
if redis.call('LLEN', KEYS[4]) > 0 then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
  if redis.call('LLEN', KEYS[2]) < 10000 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return 'done'
