{{- define "headgate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "headgate.labels" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "headgate.operatorSelector" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* The user name under which the operator's requests arrive at the API server. */}}
{{- define "headgate.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:headgate-operator
{{- end }}

{{- /* Kubernetes' own controllers that delete what has lost its namespace or its owner, as a CEL list of user names. */}}
{{- define "headgate.janitors" -}}
['system:serviceaccount:kube-system:namespace-controller', 'system:serviceaccount:kube-system:generic-garbage-collector', 'system:kube-controller-manager']
{{- end }}

{{- /* "true" where the API server can stamp requests itself: MutatingAdmissionPolicy v1, Kubernetes 1.36. */}}
{{- define "headgate.stamps" -}}
{{ .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- end }}

{{- /* The binding of a ValidatingAdmissionPolicy: root, name; actions ([Deny]); params: true evaluates each RolloutPolicy of
       the object's namespace. */}}
{{- define "headgate.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "headgate.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: {{ .actions | default (list "Deny") | toJson }}
  {{- if .params }}
  paramRef: {selector: {}, parameterNotFoundAction: Allow}
  {{- end }}
{{- end }}

{{- /* The Secret with the default fleet's certificate, where the operator does not make it; refuses what contradicts itself. */}}
{{- define "headgate.fleetSecret" -}}
{{- $given := dig "tls" "secretName" "" .Values.defaultFleet.spec }}
{{- if eq .Values.tls.source "secret" }}
{{- if and (not .Values.tls.fleetSecret) (not $given) }}
{{- fail "tls.source is secret, but tls.fleetSecret names none; set it to a kubernetes.io/tls Secret of the release's namespace" }}
{{- end }}
{{- if and .Values.tls.fleetSecret $given (ne .Values.tls.fleetSecret $given) }}
{{- fail "tls.fleetSecret and defaultFleet.spec.tls.secretName name different Secrets; set one of them" }}
{{- end }}
{{- .Values.tls.fleetSecret | default $given }}
{{- else if .Values.tls.fleetSecret }}
{{- fail (printf "tls.fleetSecret is set, but tls.source is %s; set tls.source to secret, or leave tls.fleetSecret out" .Values.tls.source) }}
{{- else if eq .Values.tls.source "certManager" }}
{{- if $given }}
{{- fail "defaultFleet.spec.tls.secretName is set, but tls.source is certManager, which names the Secret itself; leave it out" }}
{{- end }}
{{- "headgate-proxy-default-certificate" }}
{{- else }}
{{- $given }}
{{- end }}
{{- end }}

{{- /* What the operator is told of the default fleet: the values, with the image; the certificate's Secret; with an autoscaler no
       replicas, or the operator would take them back whenever it starts to lead. */}}
{{- define "headgate.defaultFleet" -}}
{{- $spec := dict "image" (include "headgate.image" .) | merge (deepCopy .Values.defaultFleet.spec) }}
{{- if .Values.autoscaling.enabled }}
{{- $spec = omit $spec "replicas" }}
{{- end }}
{{- with include "headgate.fleetSecret" . }}
{{- $spec = merge (dict "tls" (dict "secretName" .)) $spec }}
{{- end }}
{{- $spec | toJson }}
{{- end }}

{{- /* The port of a URL, as a number. */}}
{{- define "headgate.port" -}}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

{{- /* The restricted pod security standard, of a pod and of a container. */}}
{{- define "headgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "headgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Rules of NetworkPolicies: names are looked up anywhere; TCP to these ports. */}}
{{- define "headgate.dns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end }}
{{- define "headgate.tcp" -}}
{{- range . | uniq }}
- {port: {{ int . }}, protocol: TCP}
{{- end }}
{{- end }}

{{- /* The pod of helm test. */}}
{{- define "headgate.smokeLabels" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}
