package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubetesting "k8s.io/client-go/testing"
)

// How far the canary is.
type state struct {
	Phase        string `json:"phase"`
	Weight       int    `json:"weight"` // of the routes as they are written, not of the status
	FailedChecks int    `json:"failed_checks"`
	Iterations   int    `json:"iterations"`
	PrimaryImage string `json:"primary_image"`
	Refused      int    `json:"refused"` // writes of the routes
}

// GET /state, POST /image with the image that is deployed from now on, and POST /refuse-routes: the
// next write of the routes is refused, as an API server refuses one of an old version.
func (c *cluster) control() http.Handler {
	var isRefused atomic.Bool
	var refused atomic.Int32
	c.flagger.PrependReactor("update", "virtualservices", func(kubetesting.Action) (bool, runtime.Object, error) {
		if !isRefused.CompareAndSwap(true, false) {
			return false, nil, nil
		}
		refused.Add(1)
		log.Print("a write of the routes is refused")
		return true, nil, errors.New("the object has been modified; please apply your changes to the latest version")
	})
	paths := http.NewServeMux()
	paths.HandleFunc("/state", func(answer http.ResponseWriter, _ *http.Request) {
		told := c.state()
		told.Refused = int(refused.Load())
		must(json.NewEncoder(answer).Encode(told))
	})
	paths.HandleFunc("/image", func(_ http.ResponseWriter, request *http.Request) {
		image, err := io.ReadAll(request.Body)
		must(err)
		c.update(string(image))
	})
	paths.HandleFunc("/refuse-routes", func(http.ResponseWriter, *http.Request) { isRefused.Store(true) })
	return paths
}

func (c *cluster) state() state {
	canary, err := c.flagger.FlaggerV1beta1().Canaries(c.namespace).Get(context.TODO(), c.name, metav1.GetOptions{})
	must(err)
	told := state{
		Phase: string(canary.Status.Phase), FailedChecks: canary.Status.FailedChecks,
		Iterations: canary.Status.Iterations,
	}
	// Both are made by the controller, so that they are not there at once.
	routes, err := c.flagger.NetworkingV1alpha3().VirtualServices(c.namespace).Get(context.TODO(), c.name, metav1.GetOptions{})
	if err == nil {
		for _, to := range routes.Spec.Http[0].Route {
			if to.Destination.Host == c.name+"-canary" {
				told.Weight = to.Weight
			}
		}
	}
	primary, err := c.kube.AppsV1().Deployments(c.namespace).Get(context.TODO(), c.name+"-primary", metav1.GetOptions{})
	if err == nil {
		told.PrimaryImage = primary.Spec.Template.Spec.Containers[0].Image
	}
	return told
}

// Deploys another image.
func (c *cluster) update(image string) {
	patch := fmt.Sprintf(`[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": %q}]`, image)
	deployments := c.kube.AppsV1().Deployments(c.namespace)
	_, err := deployments.Patch(context.TODO(), c.name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	must(err)
	log.Printf("the image is now %s", image)
}
