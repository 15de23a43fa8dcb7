"""A real single-node cluster on this machine: everything that a server meets, none of it mocked.

etcd, kube-apiserver, controller-manager, scheduler, kubelet, containerd, runc and CNI plugins,
kube-router for network policies, a Docker daemon, BuildKit, a TLS registry, the Gateway API,
Traefik, Envoy Gateway, ingress-nginx, the External Secrets Operator and cert-manager. Needs Linux,
root, Debian's packages and Go. All of it listens on loopback and on a bridge of its own, or is shut
to the rest.
"""
