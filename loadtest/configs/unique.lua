-- Eight usual fields, every request another path, request id and traceparent.
local count = 0
local base = math.random(1, 1000000)
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-US,en;q=0.5"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Cookie"] = "session=4f1c2d9ab0e84c7f9f1e; theme=dark; seen=17"
wrk.headers["Cache-Control"] = "no-cache"
wrk.headers["Referer"] = "http://shop.example/catalogue"
wrk.headers["X-Tenant"] = "blue"
request = function()
    count = count + 1
    local id = string.format("%08x%08x", base, count)
    wrk.headers["X-Request-Id"] = id
    wrk.headers["Traceparent"] = "00-" .. id .. id .. "-" .. id .. "-01"
    return wrk.format("GET", "/items/" .. count .. "/view?page=" .. (count % 7))
end
