// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/base64.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/base/cleanup.h"

/* Returns the number of decoded bytes, -EINVAL or -ENOMEM. */
static int decode(const char *encoded, int length, unsigned char *decoded)
{
	EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
	int first = 0, last = 0, result = -EINVAL;

	if (!context)
		return -ENOMEM;
	EVP_DecodeInit(context);
	if (EVP_DecodeUpdate(context, decoded, &first, (const unsigned char *)encoded, length) >=
		    0 &&
	    EVP_DecodeFinal(context, decoded + first, &last) == 1)
		result = first + last;
	EVP_ENCODE_CTX_free(context);
	return result;
}

int base64_decode_text(const char *encoded, char **ret_text)
{
	size_t length = strlen(encoded);
	cleanup_free char *text = NULL;
	int decoded;

	if (length > INT_MAX)
		return -EINVAL;
	text = calloc(1, length + 1);
	if (!text)
		return -ENOMEM;
	decoded = decode(encoded, (int)length, (unsigned char *)text);
	if (decoded == -ENOMEM)
		return decoded;
	if (decoded <= 0 || strlen(text) != (size_t)decoded)
		return -EINVAL;
	*ret_text = take_pointer(text);
	return 0;
}
