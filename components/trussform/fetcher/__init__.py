"""The program that fetches weights onto a volume, in an init container.

It runs from a ConfigMap, with Python 3.9 or later and without Trussform. Its image has
huggingface_hub, and the SDKs of the clouds for buckets: boto3, google-cloud-storage and
azure-storage-blob.
"""
