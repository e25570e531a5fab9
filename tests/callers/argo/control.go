package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

// How far the rollout is.
type state struct {
	Phase   string   `json:"phase"`
	Message string   `json:"message"`
	Step    int32    `json:"step"`
	Aborted bool     `json:"aborted"`
	Pauses  []string `json:"pauses"`
	Stable  string   `json:"stable"`
	Current string   `json:"current"`
	Runs    []run    `json:"runs"`
}

// One AnalysisRun and its only metric.
type run struct {
	Stage        string   `json:"stage"`
	Phase        string   `json:"phase"`
	Message      string   `json:"message"`
	Inconclusive int32    `json:"inconclusive"`
	Errors       int32    `json:"errors"`
	Measured     []string `json:"measured"` // the newest measurements: phase and value, or message
}

// GET /state, POST /image with the image that is deployed from now on, and POST /promote: what
// `kubectl argo rollouts promote` does.
func (c *cluster) control() http.Handler {
	paths := http.NewServeMux()
	paths.HandleFunc("/state", func(answer http.ResponseWriter, _ *http.Request) {
		must(json.NewEncoder(answer).Encode(c.state()))
	})
	paths.HandleFunc("/image", func(_ http.ResponseWriter, request *http.Request) {
		image, err := io.ReadAll(request.Body)
		must(err)
		// The API server raises the generation with each change of the specification.
		c.patch(types.JSONPatchType, fmt.Sprintf(
			`[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": %q},
			  {"op": "replace", "path": "/metadata/generation", "value": %d}]`, image, c.found().Generation+1))
	})
	paths.HandleFunc("/promote", func(http.ResponseWriter, *http.Request) {
		c.patch(types.MergePatchType, fmt.Sprintf(
			`{"status": {"pauseConditions": null, "controllerPause": false, "currentStepIndex": %d}}`,
			*c.found().Status.CurrentStepIndex+1))
	})
	return paths
}

func (c *cluster) found() *v1alpha1.Rollout {
	found, err := c.argo.ArgoprojV1alpha1().Rollouts(namespace).Get(context.Background(), c.rollout, metav1.GetOptions{})
	must(err)
	return found
}

func (c *cluster) patch(kind types.PatchType, patch string) {
	rollouts := c.argo.ArgoprojV1alpha1().Rollouts(namespace)
	_, err := rollouts.Patch(context.Background(), c.rollout, kind, []byte(patch), metav1.PatchOptions{})
	must(err)
}

func (c *cluster) state() state {
	status := c.found().Status
	told := state{
		Phase: string(status.Phase), Message: status.Message, Step: -1, Aborted: status.Abort,
		Stable: status.StableRS, Current: status.CurrentPodHash, Runs: c.runs(),
	}
	if status.CurrentStepIndex != nil {
		told.Step = *status.CurrentStepIndex
	}
	for _, pause := range status.PauseConditions {
		told.Pauses = append(told.Pauses, string(pause.Reason))
	}
	return told
}

// The AnalysisRuns, the oldest first.
func (c *cluster) runs() []run {
	list, err := c.argo.ArgoprojV1alpha1().AnalysisRuns(namespace).List(context.Background(), metav1.ListOptions{})
	must(err)
	sort.Slice(list.Items, func(i, j int) bool { // two have the same second only by their names
		one, other := list.Items[i], list.Items[j]
		return one.CreationTimestamp.Before(&other.CreationTimestamp) ||
			one.CreationTimestamp.Equal(&other.CreationTimestamp) && one.Name < other.Name
	})
	var runs []run
	for _, one := range list.Items {
		told := run{Phase: string(one.Status.Phase), Message: one.Status.Message}
		for _, argument := range one.Spec.Args {
			if argument.Name == "stage" && argument.Value != nil {
				told.Stage = *argument.Value
			}
		}
		for _, metric := range one.Status.MetricResults {
			told.Inconclusive, told.Errors = metric.Inconclusive, metric.Error
			for _, measured := range metric.Measurements {
				told.Measured = append(told.Measured, fmt.Sprintf("%s %s%s", measured.Phase, measured.Value, measured.Message))
			}
		}
		runs = append(runs, told)
	}
	return runs
}
