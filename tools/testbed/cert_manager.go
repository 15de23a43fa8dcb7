// cert-manager's own controllers, started by a program of our own: that of cert-manager is a module
// without a published version.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
)

var options = controller.ContextOptions{
	Kubeconfig:         os.Getenv("KUBECONFIG"),
	KubernetesAPIQPS:   20,
	KubernetesAPIBurst: 50,
	IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: "cert-manager"},
	IngressShimOptions: controller.IngressShimOptions{
		DefaultIssuerKind:  "Issuer",
		DefaultIssuerGroup: "cert-manager.io",
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	factory, err := controller.NewContextFactory(ctx, options)
	demand(err)
	for _, constructor := range controller.Known() {
		made, err := constructor(factory)
		demand(err)
		go func() { demand(made.Run(1, ctx)) }()
	}
	shared, err := factory.Build()
	demand(err)
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.SharedInformerFactory.WaitForCacheSync(ctx.Done())
	shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done())
	go func() { demand(http.ListenAndServe(os.Args[1], http.HandlerFunc(say))) }()
	<-ctx.Done()
}

// say answers that the controllers know what the cluster has.
func say(answer http.ResponseWriter, _ *http.Request) {
	answer.WriteHeader(http.StatusOK)
}

func demand(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
