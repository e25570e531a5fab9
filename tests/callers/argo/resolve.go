package main

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Gives the name in the template an address, as the cluster's DNS does. The `web` provider uses the
// default transport, so that the manifest stays as it is.
func resolve(name, address string) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, asked string) (net.Conn, error) {
		if asked == name {
			asked = address
		}
		return dialer.DialContext(ctx, network, asked)
	}
}
