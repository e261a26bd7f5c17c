-- Posts 1 KiB. The request is made once by wrk itself, since no request() is defined here.
dofile("report.lua")

wrk.method = "POST"
wrk.body = string.rep("x", 1024)
wrk.headers["Content-Type"] = "application/octet-stream"
