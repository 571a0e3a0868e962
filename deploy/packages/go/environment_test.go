package sealgate

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func Test16CodeThatMakesItsOwnClientsFindsIt(t *testing.T) {
	sg, _ := withBucket(t)
	for name, value := range sg.Env() {
		t.Setenv(name, value)
	}
	settings := ok[aws.Config](t)(config.LoadDefaultConfig(ctx))
	client := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	listed := ok[*s3.ListBucketsOutput](t)(client.ListBuckets(ctx, &s3.ListBucketsInput{}))
	equal(t, *listed.Buckets[0].Name, "demo")
	input := &kms.DescribeKeyInput{KeyId: aws.String("alias/demo")}
	ok[*kms.DescribeKeyOutput](t)(kms.NewFromConfig(settings).DescribeKey(ctx, input))
}
