// SPDX-License-Identifier: Apache-2.0
// GET /N gives N times "x", POST gives the body back.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.concurrent.Executors;

public class Http {
	public static void main(String[] args) throws Exception {
		HttpServer s = HttpServer.create(new InetSocketAddress(8000), 0);
		s.createContext("/", e -> {
			byte[] b = e.getRequestBody().readAllBytes();
			if (e.getRequestMethod().equals("GET")) {
				String path = e.getRequestURI().getPath();
				b = new byte[Integer.parseInt(path.substring(1))];
				Arrays.fill(b, (byte)'x');
			}
			e.sendResponseHeaders(200, b.length == 0 ? -1 : b.length);
			e.getResponseBody().write(b);
			e.close();
		});
		s.setExecutor(Executors.newFixedThreadPool(4));
		s.start();
		System.out.println("listening");
	}
}
