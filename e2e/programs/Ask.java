// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/**
 * Java's HttpClient under test; see ask-curl.sh. With each new connection it offers HTTP/2, which
 * none of the servers takes.
 */
public class Ask {
	private static final HttpClient CLIENT = HttpClient.newHttpClient();
	private static final BodyPublisher NOTHING = BodyPublishers.noBody();

	private static void ask(String server, String method, String path, BodyPublisher body,
				String... headers) throws Exception {
		HttpRequest.Builder request =
			HttpRequest.newBuilder(URI.create(server + path)).method(method, body);

		if (headers.length > 0)
			request.headers(headers);
		request.expectContinue(method.equals("PUT"));
		int status = CLIENT.send(request.build(), BodyHandlers.discarding()).statusCode();
		System.out.println(server + " " + method + " " + status);
	}

	public static void main(String[] servers) throws Exception {
		for (String server : servers) {
			ask(server, "GET", "/hello", NOTHING);
			ask(server, "GET", "/hello", NOTHING);
			ask(server, "GET", "/chunks", NOTHING, "Accept-Encoding", "gzip");
			ask(server, "GET", "/large", NOTHING);
			ask(server, "HEAD", "/hello", NOTHING);
			ask(server, "POST", "/take", BodyPublishers.ofString("7".repeat(100000)));
			ask(server, "PUT", "/take", BodyPublishers.ofString("some"));
			for (String path : new String[] {"/empty", "/same", "/missing", "/broken"})
				ask(server, "GET", path, NOTHING);
			ask(server, "GET", "/hello", NOTHING, "Connection", "close");
		}
	}
}
