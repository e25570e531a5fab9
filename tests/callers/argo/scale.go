package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// How often the ReplicaSets are what they should be.
const scaled = 200 * time.Millisecond

// Plays the controller of ReplicaSets: each is at once as large as it is wanted. By a patch of the
// status alone, because an update on a fake client would overwrite the specification.
func (c *cluster) scale() {
	sets := c.kube.AppsV1().ReplicaSets(namespace)
	for ; ; time.Sleep(scaled) {
		list, err := sets.List(context.Background(), metav1.ListOptions{})
		must(err)
		for _, one := range list.Items {
			wanted := int32(0)
			if one.Spec.Replicas != nil {
				wanted = *one.Spec.Replicas
			}
			if one.Status.AvailableReplicas == wanted && one.Status.Replicas == wanted {
				continue
			}
			// Informers take an object as new by its version, which a fake client does not raise.
			version := map[string]any{"resourceVersion": fmt.Sprint(time.Now().UnixNano())}
			status := map[string]any{
				"replicas": wanted, "fullyLabeledReplicas": wanted, "readyReplicas": wanted,
				"availableReplicas": wanted, "observedGeneration": one.Generation,
			}
			patch, err := json.Marshal(map[string]any{"metadata": version, "status": status})
			must(err)
			_, err = sets.Patch(context.Background(), one.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			must(err)
		}
	}
}
