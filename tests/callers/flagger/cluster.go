package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/fluxcd/flagger/pkg/canary"
	"github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	"github.com/fluxcd/flagger/pkg/client/informers/externalversions"
	"github.com/fluxcd/flagger/pkg/controller"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
	"github.com/fluxcd/flagger/pkg/notifier"
	"github.com/fluxcd/flagger/pkg/router"
)

// How often the controller looks for canaries that it has to schedule.
const window = time.Second

// How often the deployments are what they should be.
const deployed = 200 * time.Millisecond

// Everything that the controller sees of a cluster.
type cluster struct {
	name, namespace string
	flagger         *fake.Clientset
	kube            *kubefake.Clientset
}

// A cluster with a canary and the Deployment that it is for.
func newCluster(of *flaggerv1.Canary) *cluster {
	name, one := of.Spec.TargetRef.Name, int32(1)
	labels := map[string]string{"app": name}
	port := corev1.ContainerPort{Name: "http", ContainerPort: 8080}
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: name, Image: "registry.example/checkout:1.0.0", Ports: []corev1.ContainerPort{port}},
		}},
	}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: of.Namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pod,
		},
	}
	return &cluster{
		name: name, namespace: of.Namespace,
		flagger: fake.NewSimpleClientset(of), kube: kubefake.NewSimpleClientset(deployment),
	}
}

// Starts the controller, with Istio as the mesh: its routes are objects of the same client.
func (c *cluster) run(prometheus string) {
	logger := newLogger()
	all := externalversions.NewSharedInformerFactory(c.flagger, 0).Flagger().V1beta1()
	informers := controller.Informers{
		CanaryInformer: all.Canaries(), MetricInformer: all.MetricTemplates(), AlertInformer: all.AlertProviders(),
	}
	never := make(chan struct{})
	go informers.CanaryInformer.Informer().Run(never)
	go informers.MetricInformer.Informer().Run(never)
	go informers.AlertInformer.Informer().Run(never)
	observed, err := observers.NewFactory(prometheus)
	must(err)
	tracker := &canary.ConfigTracker{Logger: logger, KubeClient: c.kube, FlaggerClient: c.flagger}
	canaries := canary.NewFactory(c.kube, c.flagger, tracker, []string{"app", "name"}, []string{""}, logger)
	routers := router.NewFactory(nil, c.kube, c.flagger, "", "", logger, c.flagger, true)
	controls := controller.NewController(c.kube, c.flagger, informers, window, logger,
		&notifier.NopNotifier{}, canaries, routers, observed, flaggerv1.IstioProvider, "test", "", "", false)
	go c.deploy()
	go func() { must(controls.Run(2, never)) }()
}

// Plays the controller of Deployments: each is at once as large as it is wanted. By a patch of the
// status alone, because an update on a fake client would overwrite the specification.
func (c *cluster) deploy() {
	deployments := c.kube.AppsV1().Deployments(c.namespace)
	for ; ; time.Sleep(deployed) {
		list, err := deployments.List(context.TODO(), metav1.ListOptions{})
		must(err)
		for _, one := range list.Items {
			wanted := int32(0)
			if one.Spec.Replicas != nil {
				wanted = *one.Spec.Replicas
			}
			status := appsv1.DeploymentStatus{
				Replicas: wanted, UpdatedReplicas: wanted, ReadyReplicas: wanted,
				AvailableReplicas: wanted, ObservedGeneration: one.Generation,
			}
			if one.Status.AvailableReplicas == wanted && one.Status.UpdatedReplicas == wanted {
				continue
			}
			patch, err := json.Marshal(map[string]any{"status": status})
			must(err)
			_, err = deployments.Patch(context.TODO(), one.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			must(err)
		}
	}
}

func newLogger() *zap.SugaredLogger {
	format := zap.NewDevelopmentEncoderConfig()
	format.CallerKey = ""
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(format), zapcore.AddSync(os.Stderr), zap.InfoLevel)
	return zap.New(core).Sugar()
}
