// Runs the real controllers of Argo Rollouts (of rollouts and of analyses) on fake clients, in one
// process, on the manifests that it is given. It is told what happens in the cluster over HTTP, and
// tells how far the rollout is: control.go. What has to come of it is written in
// scripts/argo_scenarios.py.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

// The namespace that the manifests are applied in: they name none.
const namespace = "shop"

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where it is told what happens")
	templateFile := flag.String("template", "", "a file with one AnalysisTemplate")
	rolloutFile := flag.String("rollout", "", "a file with one Rollout")
	secretFile := flag.String("secret", "", "a file with one Secret; none where it is left out")
	name := flag.String("name", "serinus.serinus.svc:8080", "the name in the template")
	leadsTo := flag.String("leads-to", "", "the address that this name has")
	flag.Parse()
	logrus.SetLevel(logrus.WarnLevel)

	template, rollout := &v1alpha1.AnalysisTemplate{}, &v1alpha1.Rollout{}
	read(*templateFile, template)
	read(*rolloutFile, rollout)
	template.Namespace, rollout.Namespace = namespace, namespace
	rollout.UID, rollout.Generation = "uid-of-the-rollout", 1
	var secrets []runtime.Object
	if *secretFile != "" {
		secrets = append(secrets, secret(*secretFile))
	}
	resolve(*name, *leadsTo)
	cluster := newCluster([]runtime.Object{template, rollout}, secrets, rollout.Name)
	cluster.run()
	must(http.ListenAndServe(*listen, cluster.control()))
}

// A Secret as it is after it was applied: the API server moves `stringData` to `data`.
func secret(file string) *corev1.Secret {
	applied := &corev1.Secret{}
	read(file, applied)
	applied.Namespace, applied.Data = namespace, map[string][]byte{}
	for key, value := range applied.StringData {
		applied.Data[key] = []byte(value)
	}
	return applied
}

// Strict: a field that Argo does not know is a mistake of the example.
func read(file string, into any) {
	text, err := os.ReadFile(file)
	must(err)
	must(yaml.UnmarshalStrict(text, into))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
