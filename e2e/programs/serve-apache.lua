-- SPDX-License-Identifier: Apache-2.0
-- Copyright The Skep Authors
--
-- What Apache httpd answers that is no file; see serve-apache.conf.
local answers = { ["/empty"] = 204, ["/same"] = 304, ["/broken"] = 500 }

function handle(request)
	request:requestbody()
	request.status = answers[request.uri] or (request.method == "PUT" and 201 or 200)
	if request.status == 200 or request.status == 201 then
		request:puts("taken")
	end
	return apache2.OK
end
