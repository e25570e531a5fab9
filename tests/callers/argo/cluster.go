package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubeinformers "k8s.io/client-go/informers"
	kubefake "k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/argoproj/argo-rollouts/analysis"
	"github.com/argoproj/argo-rollouts/controller/metrics"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/client/clientset/versioned/fake"
	"github.com/argoproj/argo-rollouts/pkg/client/informers/externalversions"
	"github.com/argoproj/argo-rollouts/rollout"
	"github.com/argoproj/argo-rollouts/utils/ingress"
	"github.com/argoproj/argo-rollouts/utils/istio"
	"github.com/argoproj/argo-rollouts/utils/queue"
	"github.com/argoproj/argo-rollouts/utils/record"
	"github.com/argoproj/argo-rollouts/utils/tolerantinformer"
)

// Everything that the controllers see of a cluster.
type cluster struct {
	rollout string
	objects []runtime.Object
	argo    *fake.Clientset
	kube    *kubefake.Clientset
}

// A cluster that Argo's objects and the Secrets have been applied in.
func newCluster(objects, secrets []runtime.Object, rollout string) *cluster {
	made := &cluster{
		rollout: rollout, objects: objects,
		argo: fake.NewSimpleClientset(objects...), kube: kubefake.NewSimpleClientset(secrets...),
	}
	made.argo.PrependReactor("create", "*", stamp)
	made.kube.PrependReactor("create", "*", stamp)
	return made
}

// What an API server does to each object that is created and a fake client does not. Without it an
// update of the image looks like a rollback to Argo, and skips all steps.
func stamp(action kubetesting.Action) (bool, runtime.Object, error) {
	object, err := meta.Accessor(action.(kubetesting.CreateAction).GetObject())
	if err == nil {
		object.SetCreationTimestamp(metav1.Now())
		object.SetUID(types.UID(fmt.Sprintf("uid-%d", time.Now().UnixNano())))
		object.SetGeneration(1)
	}
	return false, nil, nil
}

// Every reference of the rollout to another workload is fine: it has none.
type references struct{}

func (references) Resolve(*v1alpha1.Rollout) error { return nil }

// Starts both controllers.
func (c *cluster) run() {
	scheme := runtime.NewScheme()
	must(v1alpha1.AddToScheme(scheme))
	services, rules := istio.GetIstioVirtualServiceGVR(), istio.GetIstioDestinationRuleGVR()
	kinds := map[schema.GroupVersionResource]string{services: services.Resource + "List", rules: rules.Resource + "List"}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme, kinds, c.objects...)
	dynamics := dynamicinformer.NewDynamicSharedInformerFactory(dynamic, 0)
	kubes := kubeinformers.NewSharedInformerFactory(c.kube, 0)
	argos := externalversions.NewSharedInformerFactory(c.argo, 0)
	objects := argos.Argoproj().V1alpha1()
	// As in the real binary. With the typed informer validation writes into the shared template, and
	// its second look finds an argument with two values.
	templates := tolerantinformer.NewTolerantAnalysisTemplateInformer(dynamics)
	wrapper, err := ingress.NewIngressWrapper(ingress.IngressModeNetworking, c.kube, kubes)
	must(err)
	server := metrics.NewMetricsServer(metrics.ServerConfig{
		Addr: "127.0.0.1:0", K8SRequestProvider: &metrics.K8sRequestsCountProvider{},
	})
	recorder := record.NewFakeEventRecorder()
	rollouts := rollout.NewController(rollout.ControllerConfig{
		Namespace: metav1.NamespaceAll, KubeClientSet: c.kube, ArgoProjClientset: c.argo,
		DynamicClientSet: dynamic, IstioPrimaryDynamicClient: dynamic, RefResolver: references{},
		ExperimentInformer: objects.Experiments(), AnalysisRunInformer: objects.AnalysisRuns(),
		AnalysisTemplateInformer:        templates,
		ClusterAnalysisTemplateInformer: tolerantinformer.NewTolerantClusterAnalysisTemplateInformer(dynamics),
		ReplicaSetInformer:              kubes.Apps().V1().ReplicaSets(),
		ServicesInformer:                kubes.Core().V1().Services(), IngressWrapper: wrapper,
		RolloutsInformer:             objects.Rollouts(),
		IstioVirtualServiceInformer:  dynamics.ForResource(services).Informer(),
		IstioDestinationRuleInformer: dynamics.ForResource(rules).Informer(),
		RolloutWorkQueue:             work("Rollouts"), ServiceWorkQueue: work("Services"),
		IngressWorkQueue: work("Ingresses"), MetricsServer: server, Recorder: recorder,
		EphemeralMetadataThreads:    rollout.DefaultEphemeralMetadataThreads,
		EphemeralMetadataPodRetries: rollout.DefaultEphemeralMetadataPodRetries,
	})
	analyses := analysis.NewController(analysis.ControllerConfig{
		KubeClientSet: c.kube, ArgoProjClientset: c.argo, AnalysisRunInformer: objects.AnalysisRuns(),
		JobInformer: kubes.Batch().V1().Jobs(), JobPodsInformer: kubes.Core().V1().Pods(),
		AnalysisRunWorkQueue: work("AnalysisRuns"), MetricsServer: server, Recorder: recorder,
	})
	never := context.Background()
	synced := []cache.InformerSynced{
		objects.Rollouts().Informer().HasSynced, objects.AnalysisRuns().Informer().HasSynced,
		templates.Informer().HasSynced, kubes.Apps().V1().ReplicaSets().Informer().HasSynced,
	}
	argos.Start(never.Done())
	dynamics.Start(never.Done())
	kubes.Start(never.Done())
	if !cache.WaitForCacheSync(never.Done(), synced...) {
		must(fmt.Errorf("the informers have not synced"))
	}
	go c.scale()
	go func() { must(rollouts.Run(never, 2)) }()
	go func() { must(analyses.Run(never, 2)) }()
}

func work(name string) workqueue.RateLimitingInterface {
	return workqueue.NewNamedRateLimitingQueue(queue.DefaultArgoRolloutsRateLimiter(), name)
}
