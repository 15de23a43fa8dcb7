package models;

import com.pulumi.Context;
import com.pulumi.Pulumi;
import com.pulumi.core.Output;
import com.pulumi.kubernetes.Provider;
import com.pulumi.kubernetes.ProviderArgs;
import com.pulumi.resources.ComponentResourceOptions;
import com.pulumi.resources.StackReference;
import com.trussform.trussform.DockerServer;
import com.trussform.trussform.DockerServerArgs;
import com.trussform.trussform.enums.AuthKind;
import com.trussform.trussform.enums.RouteKind;
import com.trussform.trussform.inputs.AuthArgs;
import com.trussform.trussform.inputs.GatewayArgs;
import com.trussform.trussform.inputs.PlatformArgs;
import com.trussform.trussform.inputs.RouteArgs;
import com.trussform.trussform.inputs.StageArgs;
import java.util.List;
import java.util.Map;

/** A server in a program of its own: a platform stack gives its namespace, domain and Gateway. */
public class App {
    public static void main(String[] args) {
        Pulumi.run(App::stack);
    }

    private static void stack(Context ctx) {
        var settings = ctx.config();
        var platform = new StackReference(settings.require("platform"));
        var context = ProviderArgs.builder();
        settings.get("context").ifPresent(context::context);
        var cluster = new Provider("cluster", context.build());

        var llama = new DockerServer("llama", DockerServerArgs.builder()
            .configPath("../../servers/vllm-llama-3.1-8b")
            .stage(StageArgs.builder()
                .environment(ctx.stackName())
                .route(RouteArgs.builder().kind(RouteKind.Gateway).build())
                .auth(AuthArgs.builder().kind(AuthKind.None).build())
                .build())
            .secrets(settings.requireSecret("hfAccessToken")
                .applyValue(token -> Map.of("hf_access_token", token)))
            .platform(PlatformArgs.builder()
                .namespace(given(platform, "namespace"))
                .domain(given(platform, "domain"))
                .gateway(GatewayArgs.builder()
                    .name(given(platform, "gateway"))
                    .namespace(given(platform, "gatewayNamespace"))
                    .build())
                .registry(given(platform, "registry"))
                .build())
            .build(), ComponentResourceOptions.builder().providers(List.of(cluster)).build());

        ctx.export("predictUrl", llama.predictUrl());
    }

    private static Output<String> given(StackReference platform, String name) {
        return platform.requireOutput(Output.of(name)).applyValue(String.class::cast);
    }
}
