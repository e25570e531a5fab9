// Runs the real controller of Flagger on fake clients, in one process, against whatever server the
// webhooks of a manifest name. It is told what happens in the cluster over HTTP, and tells how far
// the canary is: control.go. What has to come of it is written in scripts/flagger_scenarios.py.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"sigs.k8s.io/yaml"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where it is told what happens")
	manifest := flag.String("manifest", "", "a file with one Canary")
	prometheus := flag.String("prometheus", "", "what Flagger's own metrics are read from")
	flag.Parse()

	text, err := os.ReadFile(*manifest)
	must(err)
	canary := &flaggerv1.Canary{}
	must(yaml.UnmarshalStrict(text, canary))
	cluster := newCluster(canary)
	cluster.run(*prometheus)
	must(http.ListenAndServe(*listen, cluster.control()))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
