// SPDX-License-Identifier: Apache-2.0

// Goroutines, channels, timers, files, and a signal to itself.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	var wg sync.WaitGroup
	ch := make(chan int, 4)
	for i := 0; i < 10; i++ {
		wg.Add(1)
		go func(n int) {
			defer wg.Done()
			runtime.Gosched()
			ch <- n * n
		}(i)
	}
	go func() { wg.Wait(); close(ch) }()
	sum := 0
	for v := range ch {
		sum += v
	}
	fmt.Println("sum", sum)

	dir, err := os.MkdirTemp("", "pith")
	if err != nil {
		panic(err)
	}
	p := filepath.Join(dir, "f")
	fmt.Println(os.WriteFile(p, make([]byte, 12345), 0o600))
	st, err := os.Stat(p)
	fmt.Println(st.Size(), st.Mode(), err)
	_, err = os.Open("/no/such/file")
	fmt.Println(err)

	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	select {
	case s := <-sig:
		fmt.Println("got", s)
	case <-time.After(300 * time.Second):
		fmt.Println("no signal")
	}
	fmt.Printf("%x\n", sha256.Sum256([]byte("pith")))
	t := time.Now()
	time.Sleep(3 * time.Millisecond)
	fmt.Println(time.Since(t) >= 3*time.Millisecond)
}
