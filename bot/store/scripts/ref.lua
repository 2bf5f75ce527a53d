-- Keep the platform message id of a part of the answer.
-- KEYS: meta    ARGV: token part id
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'fenced' end
local refs = cjson.decode(redis.call('HGET', KEYS[1], 'refs') or '{}')
refs[ARGV[2]] = ARGV[3]
redis.call('HSET', KEYS[1], 'refs', cjson.encode(refs))
return 'kept'
