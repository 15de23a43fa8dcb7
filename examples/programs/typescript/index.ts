// A server in a program of its own: a platform stack gives its namespace, domain and Gateway.
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { DockerServer } from "@trussform/trussform";

const settings = new pulumi.Config();
const platform = new pulumi.StackReference(settings.require("platform"));
const cluster = new kubernetes.Provider("cluster", { context: settings.get("context") });

const llama = new DockerServer(
    "llama",
    {
        configPath: "../../servers/vllm-llama-3.1-8b",
        stage: {
            environment: pulumi.getStack(),
            route: { kind: "gateway" },
            auth: { kind: "none" },
        },
        secrets: { hf_access_token: settings.requireSecret("hfAccessToken") },
        platform: {
            namespace: platform.requireOutput("namespace"),
            domain: platform.requireOutput("domain"),
            gateway: {
                name: platform.requireOutput("gateway"),
                namespace: platform.requireOutput("gatewayNamespace"),
            },
            registry: platform.requireOutput("registry"),
        },
    },
    { providers: [cluster] },
);

export const predictUrl = llama.predictUrl;
