// SPDX-License-Identifier: Apache-2.0
// A few threads, a lock, a collection, garbage to collect.
import java.util.*;
import java.util.concurrent.*;

public class Threads {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> parts = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            final int n = i;
            parts.add(pool.submit(() -> {
                long s = 0;
                for (int j = 0; j < 100000; j++)
                    s += new Integer[] { j, n }[0];
                return s + n;
            }));
        }
        long total = 0;
        for (Future<Long> f : parts)
            total += f.get();
        pool.shutdown();
        System.out.println("total " + total + " " + pool.awaitTermination(300, TimeUnit.SECONDS));
        Map<String, Integer> m = new TreeMap<>();
        for (String s : "the quick brown fox jumps over the lazy dog".split(" "))
            m.merge(s, 1, Integer::sum);
        System.out.println(m);
    }
}
