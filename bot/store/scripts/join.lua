-- Take further mail of the same author into the running turn.
-- KEYS: due inbox turns meta    ARGV: thread token expected_step lease_ms batch
local meta = KEYS[4]
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
local step, expected = tonumber(redis.call('HGET', meta, 'step')), tonumber(ARGV[3])
if step == expected + 1 then
  return redis.call('LRANGE', KEYS[3], -tonumber(redis.call('HGET', meta, 'joined')), -1)
elseif step ~= expected then
  return 'fenced'
end
local author, taken = redis.call('HGET', meta, 'author'), {}
for _, row in ipairs(redis.call('LRANGE', KEYS[2], 0, tonumber(ARGV[5]) - 1)) do
  if cjson.decode(row).author.id ~= author then break end
  taken[#taken + 1] = row
end
if #taken == 0 then return taken end
redis.call('RPUSH', KEYS[3], unpack(taken))
redis.call('LTRIM', KEYS[2], #taken, -1)
redis.call('HINCRBY', meta, 'count', #taken)
redis.call('HSET', meta, 'step', expected + 1, 'joined', #taken)
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[4]), ARGV[1])
return taken
