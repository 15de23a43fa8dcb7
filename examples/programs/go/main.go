// A server in a program of its own: a platform stack gives its namespace, domain and Gateway.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"github.com/trussform/trussform/sdk/go/trussform"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		settings := config.New(ctx, "")
		platform, err := pulumi.NewStackReference(ctx, settings.Require("platform"), nil)
		if err != nil {
			return err
		}
		given := func(name string) pulumi.StringInput {
			return platform.GetStringOutput(pulumi.String(name))
		}
		cluster, err := kubernetes.NewProvider(ctx, "cluster", &kubernetes.ProviderArgs{
			Context: pulumi.StringPtr(settings.Get("context")),
		})
		if err != nil {
			return err
		}
		gateway := trussform.RouteKindGateway
		llama, err := trussform.NewDockerServer(ctx, "llama", &trussform.DockerServerArgs{
			ConfigPath: "../../servers/vllm-llama-3.1-8b",
			Stage: trussform.StageArgs{
				Environment: ctx.Stack(),
				Route:       &trussform.RouteArgs{Kind: &gateway},
				Auth:        &trussform.AuthArgs{Kind: trussform.AuthKindNone},
			},
			Secrets: pulumi.StringMap{
				"hf_access_token": settings.RequireSecret("hfAccessToken"),
			},
			Platform: &trussform.PlatformArgs{
				Namespace: given("namespace"),
				Domain:    given("domain"),
				Gateway: &trussform.GatewayArgs{
					Name:      given("gateway"),
					Namespace: given("gatewayNamespace"),
				},
				Registry: given("registry"),
			},
		}, pulumi.Providers(cluster))
		if err != nil {
			return err
		}
		ctx.Export("predictUrl", llama.PredictUrl)
		return nil
	})
}
