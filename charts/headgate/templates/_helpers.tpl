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
